package source_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source"
)

// TestACallReadForNobodyIsTheUsersCall compares a user's event, made of a record that was read for nobody, with the record read for the user.
func TestACallReadForNobodyIsTheUsersCall(t *testing.T) {
	t.Parallel()
	sim, client := startSim(t, graphsim.Config{})
	reader := source.NewCall(client, source.Options{Tenant: sim.TenantID()})
	items, _ := walk(t, reader, source.EventQuery{Owner: resource.AnyUser, Start: simNow.AddDate(0, 0, -3), End: simNow.AddDate(0, 0, -1)})
	users := slices.Collect(sim.Oracle("").Users())
	participants, others := 0, 0
	for _, item := range items[:min(len(items), 12)] {
		_, ref, err := resource.ParseEvent(eventOf(t, item).GetName())
		if err != nil {
			t.Fatal(err)
		}
		record, err := reader.Event(t.Context(), resource.AnyUser, "", ref)
		if err != nil {
			t.Fatal(err)
		}
		before := proto.CloneOf(record)
		for _, person := range users[:12] {
			user := person.ID
			want, refused := reader.Event(t.Context(), user, user, ref)
			got, err := source.CallForUser(record, user, user)
			if errors.Is(err, source.ErrNotParticipant) != errors.Is(refused, source.ErrNotParticipant) || (err == nil) != (refused == nil) {
				t.Errorf("%v, want %v", err, refused)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
			if err == nil {
				participants++
			} else {
				others++
			}
		}
		if !proto.Equal(before, record) {
			t.Error("the record is another")
		}
	}
	if participants == 0 || others == 0 {
		t.Errorf("%d users have a part and %d have none: too few to prove anything", participants, others)
	}
	if _, err := source.CallForUser(nil, "someone@example.com", "someone@example.com"); !errors.Is(err, source.ErrUserIDRequired) {
		t.Errorf("%v, want ErrUserIDRequired", err)
	}
}
