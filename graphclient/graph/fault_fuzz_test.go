package graph

import "testing"

// FuzzParseFault: no error body may fail, and codes stay plain identifiers.
func FuzzParseFault(f *testing.F) {
	f.Add([]byte(`{"error":{"code":"a","message":"m","innerError":{"code":"b","innererror":{"code":"c"}}}}`))
	f.Add([]byte(`<html>`))
	f.Add([]byte(`{"ERROR":{"innerError":[1],"code":{}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got := parseFault(body)
		if id := Identifier(got.code); id != "" && id != got.code {
			t.Fatalf("identifier changed %q to %q", got.code, id)
		}
		for _, role := range neededRoles(string(body)) {
			if Identifier(role) != role {
				t.Fatalf("role %q", role)
			}
		}
		_ = ChallengeClaims(map[string][]string{"Www-Authenticate": {string(body)}})
	})
}
