package graphclient_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/auth"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphsim"
)

// delegates are over an authority and a Graph, both of which the test serves.
func delegates(t *testing.T, a *authority, fake http.HandlerFunc, change func(*auth.CredentialConfig)) *graphclient.Delegates {
	t.Helper()
	if fake == nil {
		fake = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(emptyPage)) }
	}
	login := auth.CredentialConfig{
		Kind: auth.CredentialClientSecret, TenantID: tenantA, ClientID: appID, AuthorityHost: a.URL, HTTP: a.client(t),
		ClientSecretFile: writeFile(t, filepath.Join(t.TempDir(), "secret"), "s3cret"),
	}
	if change != nil {
		change(&login)
	}
	return delegatesOf(t, serverClient(t, tlsServer(t, fake), withCredential(&tokens{})), login)
}

func delegatesOf(t *testing.T, app *graphclient.Client, login auth.CredentialConfig) *graphclient.Delegates {
	t.Helper()
	d, err := graphclient.NewDelegates(app, graphclient.DelegatesConfig{Credential: login})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// of is the client of a user whose token lasts an hour.
func of(t *testing.T, d *graphclient.Delegates, token string) *graphclient.Client {
	t.Helper()
	client, err := d.Client(graphclient.Assertion{Token: token, Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestOneExchangeForManyCalls(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	d := delegates(t, a, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+tenantA+"/1" {
			t.Errorf("Authorization %q", r.Header.Get("Authorization"))
		}
		_, _ = w.Write([]byte(emptyPage))
	}, nil)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, err := of(t, d, "assertion").Page(t.Context(), chats()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	forms := a.seen()
	if len(forms) != 1 || d.Len() != 1 {
		t.Fatalf("%d exchanges, %d entries, want one of each", len(forms), d.Len())
	}
	want := map[string]string{
		"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "requested_token_use": "on_behalf_of",
		"assertion": "assertion", "client_secret": "s3cret", "client_id": appID,
	}
	for key, value := range want {
		if forms[0][key] != value {
			t.Errorf("%s is %q, want %q", key, forms[0][key], value)
		}
	}
	if !slices.Contains(strings.Fields(forms[0]["scope"]), "https://graph.microsoft.com/.default") {
		t.Errorf("scope %q", forms[0]["scope"])
	}
}

// TestManyUsersSignInByOneDiscovery signs many users in at once: one discovery serves all, and each request carries its own user's token.
func TestManyUsersSignInByOneDiscovery(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	var mu sync.Mutex
	bearer := map[string]string{} // by the user that was asked about
	d := delegates(t, a, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		bearer[r.URL.Path] += r.Header.Get("Authorization") + " "
		mu.Unlock()
		_, _ = w.Write([]byte(emptyPage))
	}, nil)
	const users = 200
	var wg sync.WaitGroup
	for i := range users {
		wg.Go(func() {
			for range 2 {
				request := graph.Request{API: graph.APIConversations, Path: fmt.Sprintf("/users/u%d/chats", i)}
				if _, err := of(t, d, fmt.Sprint("assertion-", i)).Page(t.Context(), request); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := a.discoveries(); n != 1 {
		t.Errorf("%d discovery requests, want 1", n)
	}
	exchanged := map[string]string{} // token by assertion
	for i, form := range a.seen() {
		if exchanged[form["assertion"]] != "" {
			t.Errorf("%s was exchanged twice", form["assertion"])
		}
		exchanged[form["assertion"]] = fmt.Sprintf("Bearer %s/%d", tenantA, i+1)
	}
	for i := range users {
		want := strings.Repeat(exchanged[fmt.Sprint("assertion-", i)]+" ", 2)
		if have := bearer[fmt.Sprintf("/v1.0/users/u%d/chats", i)]; have != want {
			t.Errorf("user %d was asked about with %q, want %q", i, have, want)
		}
	}
}

// TestEntriesAreBounded lets more users come than are kept: the ones used last stay.
func TestEntriesAreBounded(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	d := delegates(t, a, nil, nil)
	first, old := of(t, d, "first"), of(t, d, "old")
	for i := range 3 * graphclient.DefaultAssertions {
		of(t, d, strconv.Itoa(i))
		if of(t, d, "first") != first {
			t.Fatal("the user of every call was forgotten")
		}
	}
	if n := d.Len(); n != graphclient.DefaultAssertions {
		t.Errorf("%d entries, want %d", n, graphclient.DefaultAssertions)
	}
	if of(t, d, "old") == old {
		t.Error("a user who never came again is kept")
	}
	// Who still holds a client that is not kept goes on.
	if _, err := old.Page(t.Context(), chats()); err != nil {
		t.Error(err)
	}
	if n := len(a.seen()); n != 1 {
		t.Errorf("%d exchanges, want the one that was needed", n)
	}
}

// TestNothingOutlivesAnEndedAssertion checks that nothing made of a token is kept longer than a minute after its end, and that it is not exchanged.
func TestNothingOutlivesAnEndedAssertion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app := fakeClient(t, func(*http.Request) (*http.Response, error) { return nil, errors.New("unexpected") })
		d := delegatesOf(t, app, auth.CredentialConfig{
			Kind: auth.CredentialClientSecret, TenantID: tenantA, ClientID: appID,
			ClientSecretFile: writeFile(t, filepath.Join(t.TempDir(), "secret"), "s"),
		})
		short := graphclient.Assertion{Token: "short", Expires: time.Now().Add(10 * time.Minute)}
		if _, err := d.Client(short); err != nil {
			t.Fatal(err)
		}
		of(t, d, "an hour")
		time.Sleep(11*time.Minute + time.Second)
		synctest.Wait()
		if n := d.Len(); n != 1 {
			t.Errorf("%d entries after the first has ended, want 1", n)
		}
		_, err := d.Client(short)
		_ = wantError(t, err, graph.KindSignIn)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := d.Len(); n != 0 {
			t.Errorf("%d entries after all have ended", n)
		}
		d.Close()
		if _, err := d.Client(graphclient.Assertion{Token: "late", Expires: time.Now().Add(time.Hour)}); err == nil {
			t.Error("closed Delegates give a client")
		}
	})
}

func TestRefusedExchanges(t *testing.T) {
	t.Parallel()
	const claims = `{"access_token":{"acrs":{"essential":true,"value":"c1"}}}`
	quoted := strings.ReplaceAll(claims, `"`, `\"`)
	for name, c := range map[string]struct {
		status       int
		body         string
		kind         graph.Kind
		code, claims string
	}{
		"consent":           {400, `{"error":"invalid_grant","error_description":"AADSTS65001: The user planted has not consented.","suberror":"consent_required"}`, graph.KindConsent, "AADSTS65001", ""},
		"consent, old form": {400, `{"error":"interaction_required","error_description":"AADSTS65001: planted","claims":"` + quoted + `"}`, graph.KindConsent, "AADSTS65001", ""},
		"administrator":     {400, `{"error":"invalid_grant","error_description":"AADSTS90094: planted"}`, graph.KindConsent, "AADSTS90094", ""},
		"signature":         {400, `{"error":"invalid_grant","error_description":"AADSTS50013: Assertion planted failed."}`, graph.KindSignIn, "AADSTS50013", ""},
		"audience":          {401, `{"error":"invalid_client","error_description":"AADSTS500131: planted"}`, graph.KindSignIn, "AADSTS500131", ""},
		"second factor":     {400, `{"error":"interaction_required","error_description":"AADSTS50076: planted","claims":"` + quoted + `"}`, graph.KindSignIn, "AADSTS50076", claims},
		"claims, no JSON":   {400, `{"error":"interaction_required","error_description":"AADSTS50076: planted","claims":"planted"}`, graph.KindSignIn, "AADSTS50076", ""},
		"endless claims":    {400, `{"error":"interaction_required","error_description":"AADSTS50076: planted","claims":"{\"a\":\"` + strings.Repeat("x", 5000) + `\"}"}`, graph.KindSignIn, "AADSTS50076", ""},
		"our own secret":    {401, `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret planted."}`, graph.KindCredential, "AADSTS7000215", ""},
		"no such app":       {400, `{"error":"unauthorized_client","error_description":"AADSTS700016: planted"}`, graph.KindCredential, "AADSTS700016", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			a.setRefuse(func(map[string]string) (int, string) { return c.status, c.body })
			d := delegates(t, a, func(http.ResponseWriter, *http.Request) { t.Error("Graph was asked") }, nil)
			for range 3 {
				_, err := of(t, d, "secret-assertion").Page(t.Context(), chats())
				e := wantError(t, err, c.kind)
				if e.Code != c.code || e.Claims != c.claims || e.RetryAfter != 0 {
					t.Errorf("code %q, claims %q, retry after %s", e.Code, e.Claims, e.RetryAfter)
				}
				for _, text := range []string{e.Error(), fmt.Sprintf("%+v", e), e.LogValue().String()} {
					if strings.Contains(text, "planted") || strings.Contains(text, "secret-assertion") {
						t.Errorf("the error says %q", text)
					}
				}
			}
			if n := len(a.seen()); n != 1 {
				t.Errorf("%d exchanges, want one: a refusal is not asked for again at once", n)
			}
		})
	}
}

// TestChallengedUsers lets Graph want more than the exchanged token shows.
func TestChallengedUsers(t *testing.T) {
	t.Parallel()
	const wanted = `{"access_token":{"nbf":{"essential":true,"value":"1726077595"}}}`
	const more = `{"access_token":{"acrs":{"essential":true,"value":"c1"}}}`
	challenge := `Bearer error="insufficient_claims", claims="` + base64.StdEncoding.EncodeToString([]byte(wanted)) + `"`
	refuse := func(claims string) func(map[string]string) (int, string) {
		return func(form map[string]string) (int, string) {
			if strings.Contains(form["claims"], "nbf") {
				return 400, `{"error":"interaction_required","error_description":"AADSTS50076: more"` + claims + `}`
			}
			return 0, ""
		}
	}
	for name, c := range map[string]struct {
		refuse func(map[string]string) (int, string)
		status int
		header string
		always bool // Graph refuses every token
		claims string
		ok     bool
	}{
		"a new token has it":       {nil, 401, challenge, false, "", true},
		"Entra names its claims":   {refuse(`,"claims":"` + strings.ReplaceAll(more, `"`, `\"`) + `"`), 401, challenge, false, more, false},
		"Entra names none":         {refuse(""), 401, challenge, false, wanted, false},
		"with a 403":               {refuse(""), 403, challenge, false, wanted, false},
		"every token is too weak":  {nil, 401, challenge, true, wanted, false},
		"every token is refused":   {nil, 401, "Bearer", true, "", false},
		"an answer without reason": {nil, 401, "", false, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			a.setRefuse(c.refuse)
			d := delegates(t, a, func(w http.ResponseWriter, r *http.Request) {
				if c.always || r.Header.Get("Authorization") == "Bearer "+tenantA+"/1" {
					w.Header().Set("WWW-Authenticate", c.header)
					w.WriteHeader(c.status)
					return
				}
				_, _ = w.Write([]byte(emptyPage))
			}, nil)
			_, err := of(t, d, "assertion").Page(t.Context(), chats())
			if c.ok {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if e := wantError(t, err, graph.KindSignIn); e.Claims != c.claims {
				t.Errorf("claims %q, want %q", e.Claims, c.claims)
			}
		})
	}
}

// TestSecretRotatesUnderUsers changes the application's secret: the next exchange of whatever user proves itself with the new
// one, and a file that cannot be used leaves the old one in force.
func TestSecretRotatesUnderUsers(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	file := writeFile(t, filepath.Join(t.TempDir(), "secret"), "old")
	d := delegates(t, a, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer "+tenantA+"/1" && len(a.seen()) > 2 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(emptyPage))
	}, func(c *auth.CredentialConfig) { c.ClientSecretFile = file })
	read := func(assertion string) {
		t.Helper()
		if _, err := of(t, d, assertion).Page(t.Context(), chats()); err != nil {
			t.Fatal(err)
		}
	}
	read("one")
	writeFile(t, file, "  ")
	read("two")
	writeFile(t, file, "new")
	read("three")
	read("one") // whose token Graph refuses by now
	forms := a.seen()
	have := make([]string, 0, len(forms))
	for _, form := range forms {
		have = append(have, form["assertion"]+" "+form["client_secret"])
	}
	if want := []string{"one old", "two old", "three new", "one new"}; !slices.Equal(have, want) {
		t.Errorf("exchanges %q, want %q", have, want)
	}
}

func TestUsersTokensAreExchangedWithEachKindOfCredential(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for kind, c := range map[string]struct {
		change func(*auth.CredentialConfig)
		proven func(string) bool
	}{
		auth.CredentialClientCertificate: {func(c *auth.CredentialConfig) {
			c.CertificateFile = writeFile(t, filepath.Join(t.TempDir(), "app.pem"), certificate(t, key, key.Public()))
		}, func(proof string) bool { return strings.Count(proof, ".") == 2 }},
		auth.CredentialWorkloadIdentity: {func(c *auth.CredentialConfig) {
			c.FederatedTokenFile = writeFile(t, filepath.Join(t.TempDir(), "token"), "of the workload\n")
		}, func(proof string) bool { return proof == "of the workload" }},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			d := delegates(t, a, nil, func(login *auth.CredentialConfig) {
				login.Kind, login.ClientSecretFile = kind, ""
				c.change(login)
			})
			if err := of(t, d, "assertion").Login(t.Context()); err != nil {
				t.Fatal(err)
			}
			if forms := a.seen(); len(forms) != 1 || forms[0]["assertion"] != "assertion" || !c.proven(forms[0]["client_assertion"]) {
				t.Errorf("forms %v", forms)
			}
		})
	}
	_, err = graphclient.NewDelegates(fakeClient(t, nil), graphclient.DelegatesConfig{Credential: auth.CredentialConfig{Kind: auth.CredentialManagedIdentity, TenantID: tenantA}})
	if err == nil || !strings.Contains(err.Error(), "Kind: ") {
		t.Errorf("a managed identity: %v", err)
	}
}

// TestAuthorityOutOfReachForUsers lets discovery fail for everybody at once: nobody waits for ever, and the next one is served.
func TestAuthorityOutOfReachForUsers(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	var mu sync.Mutex
	down := true
	inner := a.client(t).Transport
	d := delegates(t, a, nil, func(c *auth.CredentialConfig) {
		c.HTTP = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			broken := down
			mu.Unlock()
			if broken {
				return answer(http.StatusServiceUnavailable, ""), nil
			}
			return inner.RoundTrip(r)
		})}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			if err := of(t, d, strconv.Itoa(i)).Login(ctx); err == nil {
				t.Error("a login without an authority")
			}
		})
	}
	wg.Wait()
	mu.Lock()
	down = false
	mu.Unlock()
	if err := of(t, d, "later").Login(ctx); err != nil {
		t.Error(err)
	}
}

// TestExchangeAgainstTheSimulator has the simulated Entra ID check assertions as the real one does.
func TestExchangeAgainstTheSimulator(t *testing.T) {
	t.Parallel()
	sim, err := graphsim.New(graphsim.Config{Users: 6, Chats: 12, Messages: 20, Interactions: 5, Calls: 5})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	app := newClient(t, graphclient.Config{BaseURL: sim.URL(), Credential: &tokens{}, RootCAs: sim.CertPool()})
	d := delegatesOf(t, app, auth.CredentialConfig{
		Kind: auth.CredentialClientSecret, TenantID: graphsim.DemoTenantID, ClientID: graphsim.DemoClientID, AuthorityHost: sim.URL(),
		ClientSecretFile: writeFile(t, filepath.Join(t.TempDir(), "secret"), graphsim.DemoClientSecret),
	})
	user := sim.DemoUser().ID
	sign := func(q graphsim.CallerToken) string {
		token, err := sim.SignCaller(q)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	mine := graph.Request{API: graph.APIConversations, Path: "/me/chats"}
	good := of(t, d, sign(graphsim.CallerToken{User: user}))
	page, err := good.Page(t.Context(), mine)
	if err != nil || len(page.Records) == 0 || !strings.Contains(string(page.Records[0]), `"viewpoint":{`) {
		t.Fatalf("%v %v", page, err)
	}
	export := graph.Request{API: graph.APIChat, Path: "/users/" + user + "/chats/getAllMessages"}
	_, err = good.Page(t.Context(), export)
	_ = wantError(t, err, graph.KindForbidden)
	for name, c := range map[string]struct {
		token string
		code  string
	}{
		"expired":           {sign(graphsim.CallerToken{User: user, IssuedAt: time.Now().Add(-3 * time.Hour)}), "AADSTS500133"},
		"another audience":  {sign(graphsim.CallerToken{User: user, Audience: "api://other"}), "AADSTS500131"},
		"an application":    {sign(graphsim.CallerToken{}), "AADSTS7000114"},
		"not a token":       {"x.y.z", "AADSTS50013"},
		"a broken one":      {sign(graphsim.CallerToken{User: user}) + "x", "AADSTS50013"},
		"a token for Graph": {sign(graphsim.CallerToken{User: user, Audience: "https://graph.microsoft.com"}), "AADSTS500131"},
	} {
		_, err := of(t, d, c.token).Page(t.Context(), mine)
		if e := wantError(t, err, graph.KindSignIn); e.Code != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}
