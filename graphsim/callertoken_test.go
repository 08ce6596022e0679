package graphsim_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-gateway/parley/graphsim"
)

// claimsOf reads a token without checking it.
func claimsOf(t *testing.T, token string) jwt.MapClaims {
	t.Helper()
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestCallerTokens(t *testing.T) {
	t.Parallel()
	s := secure(t, nil)
	user := s.DemoUser()
	for name, c := range map[string]struct {
		request graphsim.CallerToken
		want    map[string]any
		absent  []string
	}{
		"person": {
			graphsim.CallerToken{User: user.ID},
			map[string]any{"oid": user.ID, "tid": tenantA, "scp": "Conversations.Read", "azp": graphsim.DemoWebClientID, "preferred_username": user.UPN, "ver": "2.0"},
			[]string{"idtyp", "roles"},
		},
		"person by name": {
			graphsim.CallerToken{User: strings.ToUpper(user.UPN), Scopes: []string{"a", "b"}, Roles: []string{"r"}},
			map[string]any{"oid": user.ID, "scp": "a b"},
			[]string{"idtyp"},
		},
		"application": {
			graphsim.CallerToken{Tenant: tenantB, Roles: []string{"Export"}},
			map[string]any{"tid": tenantB, "idtyp": "app", "azp": graphsim.DemoClientID},
			[]string{"scp", "preferred_username"},
		},
	} {
		token, err := s.SignCaller(c.request)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		claims := claimsOf(t, token)
		for key, want := range c.want {
			if claims[key] != want {
				t.Errorf("%s: %s is %v, want %v", name, key, claims[key], want)
			}
		}
		for _, key := range c.absent {
			if claims[key] != nil {
				t.Errorf("%s: %s is %v", name, key, claims[key])
			}
		}
		if issuer, err := claims.GetIssuer(); err != nil || issuer != strings.ReplaceAll(s.CallerIssuer(), "{tid}", claims["tid"].(string)) {
			t.Errorf("%s: issuer %q, %v", name, issuer, err)
		}
	}
	// The subject of an application is its service principal, which tells it from a person's pairwise subject.
	token, err := s.SignCaller(graphsim.CallerToken{})
	if err != nil {
		t.Fatal(err)
	}
	if claims := claimsOf(t, token); claims["sub"] != claims["oid"] {
		t.Errorf("%v", claims)
	}
	for name, bad := range map[string]graphsim.CallerToken{"tenant": {Tenant: "x"}, "user": {User: "nobody@x.example"}, "user id": {User: tenantA}} {
		if token, err := s.SignCaller(bad); err == nil {
			t.Errorf("an unknown %s got %q", name, token)
		}
	}
	idle, err := graphsim.New(graphsim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := idle.SignCaller(graphsim.CallerToken{}); err == nil || idle.CallerIssuer() != "" {
		t.Error("a token without an issuer")
	}
}

func TestCallerTokenPage(t *testing.T) {
	t.Parallel()
	s := secure(t, nil)
	c := newClient(t, s)
	get := func(query string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/_sim/token?"+query, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var text strings.Builder
		if _, err := io.Copy(&text, resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, strings.TrimSpace(text.String())
	}
	status, token := get("user=" + url.QueryEscape(s.DemoUser().UPN) + "&scope=a+b&role=r1&role=r2")
	if status != http.StatusOK {
		t.Fatalf("%d: %s", status, token)
	}
	claims := claimsOf(t, token)
	end, err := claims.GetExpirationTime()
	if err != nil || claims["scp"] != "a b" || len(claims["roles"].([]any)) != 2 || time.Until(end.Time) < 50*time.Minute {
		t.Errorf("%v, %v", claims, err)
	}
	if status, text := get("user=nobody@x.example"); status != http.StatusBadRequest || !strings.Contains(text, "no such user") {
		t.Errorf("%d: %s", status, text)
	}
	// Graph does not take a token for somebody else.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/v1.0/users", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("Graph took a caller's token: %d", resp.StatusCode)
	}
}
