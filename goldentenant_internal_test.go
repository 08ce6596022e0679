package parley

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/internal/cursorpb"
)

// tenantWalk is a walk over the users of the tenant that was left when one of them, whose events are another walk, was read up to the
// position of that walk, another one was open, and the later ones were still to come.
func (g *golden) tenantWalk(t *testing.T, user string, events *goldenWalk) goldenWalk {
	t.Helper()
	_, values, _ := strings.Cut(events.Stream, "?")
	w := goldenWalk{
		Stream: ":streamTenantEvents?" + values, Rows: "events", ID: "name", Unordered: true, Inner: events.Cursor, InnerDigest: events.Digest,
	}
	status, body := g.get(t, w.Stream, "resumeToken", "")
	lines := strings.Split(strings.TrimSpace(string(body)), "\n")
	var end struct {
		Summary struct {
			ResumeToken string `json:"resumeToken"`
		} `json:"summary"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &end); err != nil || status != http.StatusOK {
		t.Fatalf("HTTP %d, %v in %.600s", status, err, body)
	}
	g.sealer.mu.Lock()
	sealed, ok := g.sealer.sealed[end.Summary.ResumeToken]
	g.sealer.mu.Unlock()
	content := &cursorpb.Cursor{}
	if err := proto.Unmarshal(sealed.Cursor, content); err != nil || !ok || content.GetTenant() == nil {
		t.Fatalf("the summary's token: %v, %v", ok, err)
	}
	var ids []string
	for u := range g.oracle.Users() {
		ids = append(ids, u.ID)
	}
	slices.Sort(ids)
	at := slices.Index(ids, strings.TrimPrefix(user, "users/"))
	other := (at + 1) % 2 // the first or the second
	tenant := content.GetTenant()
	tenant.Finished, tenant.Begun, tenant.Users = false, packedID(t, ids[max(at, 2)]), []uint64{uint64(max(at, 2)) - 1, 0, 0}
	tenant.Open = []*cursorpb.OpenUser{{Id: packedID(t, ids[other])}, {Id: packedID(t, ids[at]), Token: []byte("inner")}}
	if at < other {
		slices.Reverse(tenant.GetOpen())
	}
	var err error
	if w.Cursor, err = proto.Marshal(content); err != nil {
		t.Fatal(err)
	}
	w.Digest = sealed.Digest
	w.Rest = g.stream(t, &w, g.token(t, &w, 0))
	if len(w.Rest) <= len(events.Rest) {
		t.Fatalf("the walk has %d events left, and one of its users %d", len(w.Rest), len(events.Rest))
	}
	return w
}

func packedID(t *testing.T, id string) *cursorpb.UserID {
	t.Helper()
	parsed, err := uuid.Parse(id)
	if err != nil {
		t.Fatal(err)
	}
	return &cursorpb.UserID{Uuid: parsed[:]}
}

// resealed returns the content of a token with the token in it sealed anew, where there is one.
func (g *golden) resealed(t *testing.T, w *goldenWalk, plain []byte) []byte {
	t.Helper()
	if w.Inner == nil {
		return plain
	}
	text, err := g.sealer.Keys.Seal(w.Inner, w.InnerDigest)
	if err != nil {
		t.Fatal(err)
	}
	inner, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	content := &cursorpb.Cursor{}
	if err := proto.Unmarshal(plain, content); err != nil {
		t.Fatal(err)
	}
	for _, user := range content.GetTenant().GetOpen() {
		if len(user.GetToken()) > 0 {
			user.Token = inner
		}
	}
	if plain, err = proto.Marshal(content); err != nil {
		t.Fatal(err)
	}
	return plain
}
