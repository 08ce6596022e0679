//go:build !race

package graphclient

import (
	"strings"
	"testing"
)

// TestABodyTakesTheBufferOfThePool holds that a page's body, compressed or not, takes the buffer of the pool.
func TestABodyTakesTheBufferOfThePool(t *testing.T) {
	text := strings.Repeat(`{"id":"1616964509832","createdDateTime":"2026-11-20T10:00:00.123Z"},`, 1500)
	for encoding, body := range map[string][]byte{"": []byte(text), "gzip": packed(t, text)} {
		p := &bodyPool{}
		perBody := testing.AllocsPerRun(100, func() {
			buffer := p.get()
			got, err := p.read(answer(body, encoding, int64(len(body))), 1<<20, *buffer)
			if err != nil || len(got) != len(text) {
				t.Fatal(len(got), err)
			}
			*buffer = got
			p.put(buffer)
		})
		const most = 8 // of them five that the answer takes
		t.Logf("%q: %.0f allocations", encoding, perBody)
		if perBody > most {
			t.Errorf("%q: %.0f allocations a body, at most %d are allowed", encoding, perBody, most)
		}
	}
}
