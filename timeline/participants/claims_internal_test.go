package participants

import (
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
)

// TestARowClaimsTheSameDecodedAndEncoded: what a row says of the user is the same whether it is decoded or only looked at, in every field that names
// people.
func TestARowClaimsTheSameDecodedAndEncoded(t *testing.T) {
	t.Parallel()
	a := &Check{user: "Ada", lower: []byte("ada")}
	set := func(id string) *parleyv1.IdentitySet { return &parleyv1.IdentitySet{User: &parleyv1.Identity{Id: id}} }
	for name, c := range map[string]struct {
		call func(id string) *parleyv1.CallDetail
		of   chunk.Claim // with another's id
	}{
		"nobody": {func(string) *parleyv1.CallDetail { return &parleyv1.CallDetail{} }, chunk.ClaimsUser},
		"organizer": {func(id string) *parleyv1.CallDetail {
			return &parleyv1.CallDetail{Organizer: &parleyv1.CallParticipant{Id: id}}
		}, chunk.ClaimsOrganizer},
		"legacy organizer": {func(id string) *parleyv1.CallDetail { return &parleyv1.CallDetail{LegacyOrganizer: set(id)} }, chunk.ClaimsOrganizer},
		"participants": {func(id string) *parleyv1.CallDetail {
			return &parleyv1.CallDetail{Participants: []*parleyv1.CallParticipant{{Identity: set(id)}}}
		}, chunk.ClaimsOthers},
		"legacy participants": {func(id string) *parleyv1.CallDetail {
			return &parleyv1.CallDetail{LegacyParticipants: []*parleyv1.IdentitySet{set(id)}}
		}, chunk.ClaimsOthers},
		"sessions": {func(id string) *parleyv1.CallDetail {
			return &parleyv1.CallDetail{Sessions: []*parleyv1.CallSession{{Caller: &parleyv1.CallEndpoint{Identity: set(id)}}}}
		}, chunk.ClaimsOthers},
		"organizer and participants": {func(id string) *parleyv1.CallDetail {
			return &parleyv1.CallDetail{Organizer: &parleyv1.CallParticipant{Id: id}, Participants: []*parleyv1.CallParticipant{{Id: id}}}
		}, chunk.ClaimsOthers},
	} {
		for _, id := range []string{"bob", "ADA", "ada"} {
			call := c.call(id)
			item, err := source.NewItem(&parleyv1.Event{Uid: "u", Detail: &parleyv1.Event_Call{Call: call}})
			if err != nil {
				t.Fatal(err)
			}
			e := &chunk.Entry{Basic: item.Basic}
			want, mine := c.of, id != "bob"
			if mine {
				want = chunk.ClaimsUser
			}
			if got := a.claimOf(call); got != want {
				t.Errorf("%s of %s: %d, want %d", name, id, got, want)
			}
			if mentions := a.mentions(e); mentions != (mine && name != "nobody") {
				t.Errorf("%s of %s: mentions %v", name, id, mentions)
			} else if got := claimOfOthers(e.Basic); !mentions && got != want {
				t.Errorf("%s of %s as it lies: %d, want %d", name, id, got, want)
			}
		}
	}
	for _, broken := range []string{"\x0a", "\xff\xff", "\x0a\x05ab"} {
		if got := claimOfOthers([]byte(broken)); got != chunk.ClaimsUser {
			t.Errorf("%q: %d", broken, got)
		}
	}
}
