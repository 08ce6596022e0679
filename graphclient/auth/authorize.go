package auth

import (
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/parley-gateway/parley/graphclient/graph"
)

// authorize adds the bearer token. A 401, or a 403 with claims, leads to one
// renewal and one repetition, with the claims of a continuous access evaluation challenge if
// the answer has one; what follows is the caller's.
//
// The library's own policy is not used: it cannot leave a login when the
// caller's deadline passes, and it keeps a rejected token's successor from
// being fetched, since the credential answers from its cache.
type authorize struct{ tokens *Tokens }

// NewAuthorize returns the step of a pipeline that adds the bearer token; nil tokens = it adds
// none. Where the tokens are a user's, a refusal is of KindSignIn.
func NewAuthorize(tokens *Tokens) policy.Policy { return &authorize{tokens} }

var _ policy.Policy = (*authorize)(nil)

func (p *authorize) Do(req *policy.Request) (*http.Response, error) {
	if p.tokens == nil {
		return req.Next()
	}
	ctx := req.Raw().Context()
	token, err := p.tokens.Get(ctx)
	if err != nil {
		return nil, err
	}
	resp, err := p.send(req, token)
	if err != nil {
		return resp, err
	}
	claims := graph.ChallengeClaims(resp.Header)
	if resp.StatusCode != http.StatusUnauthorized && (resp.StatusCode != http.StatusForbidden || claims == "") {
		return resp, nil
	}
	fault := graph.ReadError(resp, graph.Situation{})
	graph.Discard(resp.Body)
	fault.Kind = graph.KindCredential
	renewed, err := p.tokens.renew(ctx, token, claims)
	if err != nil {
		e := graph.AsError(err)
		if e.Kind == graph.KindCredential && e.Status == 0 && e.Code == "" {
			if p.tokens.ofUser {
				fault.Kind, fault.Claims = graph.KindSignIn, usableClaims(claims)
			}
			return nil, fault
		}
		if e.Kind == graph.KindSignIn && e.Claims == "" {
			e.Claims = usableClaims(claims)
		}
		return nil, err
	}
	resp, err = p.send(req, renewed)
	if err != nil {
		return resp, err
	}
	p.tokens.noteRenewed(resp.StatusCode != http.StatusUnauthorized)
	if again := graph.ChallengeClaims(resp.Header); p.tokens.ofUser && (resp.StatusCode == http.StatusUnauthorized || again != "") {
		return nil, refusedUser(resp, again)
	}
	return resp, nil
}

// refusedUser is the error of a user whose new token Graph refuses as well.
func refusedUser(resp *http.Response, claims string) *graph.Error {
	fault := graph.ReadError(resp, graph.Situation{})
	graph.Discard(resp.Body)
	fault.Kind, fault.Claims, fault.Reason = graph.KindSignIn, usableClaims(claims), "the user's token is refused"
	return fault
}

func (p *authorize) send(req *policy.Request, token string) (*http.Response, error) {
	req.Raw().Header.Set("Authorization", "Bearer "+token)
	return req.Next()
}
