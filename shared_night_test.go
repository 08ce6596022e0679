package parley_test

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/parley-gateway/parley"
	"github.com/parley-gateway/parley/graphsim"
)

// night is the path of one of so many shards of a settled week, whatever day it is.
func night(shard, shards int) string {
	end := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -3)
	return "/v1:streamTenantEvents?" + url.Values{
		"startTime": {end.AddDate(0, 0, -7).Format(time.RFC3339)}, "endTime": {end.Format(time.RFC3339)},
		"shard.index": {strconv.Itoa(shard)}, "shard.count": {strconv.Itoa(shards)},
	}.Encode()
}

// readNights reads all shards twice, each by another of the gateways, and returns the summaries.
func readNights(t *testing.T, addrs []parley.Addrs, await func()) (summaries []string) {
	t.Helper()
	const shards = 3
	for pass := range 2 {
		for shard := range shards {
			at := addrs[(shard+pass)%len(addrs)]
			answer := get(t, "http://"+at.HTTP+night(shard, shards))
			lines := strings.Split(strings.TrimSpace(answer), "\n")
			summary := lines[len(lines)-1]
			if !strings.Contains(summary, `"outcome":"TENANT_OUTCOME_COMPLETE`) {
				t.Fatalf("shard %d: %s", shard, summary)
			}
			summaries = append(summaries, fmt.Sprint(strings.Count(answer, `"uid":`), " events"))
			await()
		}
	}
	return summaries
}

// awaitReleased waits until no gateway holds a lease: what was read is then in the store.
func awaitReleased(t *testing.T, server *miniredis.Miniredis) {
	t.Helper()
	for slices.ContainsFunc(server.Keys(), func(key string) bool { return strings.Contains(key, ":lease:") }) {
		select {
		case <-t.Context().Done():
			t.Fatal("what was read is not written")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// callRequests is the number of requests about call records.
func callRequests(sim *graphsim.Sim) int { return sim.RequestCounts()[graphsim.SourceCall] }

// TestReplicasShareTheNight reads the shards of a tenant by three replicas, each shard twice and by another replica. The list of the tenant's
// calls and the participants are asked for as often as by one gateway.
func TestReplicasShareTheNight(t *testing.T) {
	t.Parallel()
	sim, err := graphsim.New(graphsim.Config{Plain: true, Seed: 4, Users: 24, Chats: 20, Messages: 100, Interactions: 100, Calls: 1200, StandsAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(t, sim.Close) })
	one := readNights(t, []parley.Addrs{started(t, over(t, sim)).Addrs()}, func() {})
	want := callRequests(sim)
	if want < 50 {
		t.Fatalf("%d requests about calls: %v", want, sim.RequestCounts())
	}
	server := miniredis.RunT(t)
	addrs := replicas(t, sim, 3, parley.Shared{URL: "redis://" + server.Addr(), KeysFile: keysFile(t), Timeout: 5 * time.Second})
	sim.ResetRequests()
	three := readNights(t, addrs, func() { awaitReleased(t, server) })
	if got := callRequests(sim); got != want {
		t.Errorf("%d requests about calls by three replicas, %d by one", got, want)
	}
	if strings.Join(one, ", ") != strings.Join(three, ", ") {
		t.Errorf("one gateway reads %v, three read %v", one, three)
	}
	if strings.Contains(server.Dump(), "callRecord") {
		t.Error("the store holds a record in clear text")
	}
}

// TestReplicasShareTheDirectory lists the users by two replicas: Graph is asked once.
func TestReplicasShareTheDirectory(t *testing.T) {
	t.Parallel()
	sim := simulated(t, 5)
	server := miniredis.RunT(t)
	addrs := replicas(t, sim, 2, parley.Shared{URL: "redis://" + server.Addr(), KeysFile: keysFile(t), Timeout: 5 * time.Second})
	sim.ResetRequests()
	first := get(t, "http://"+addrs[0].HTTP+"/v1/users")
	want := total(sim)
	awaitReleased(t, server)
	second := get(t, "http://"+addrs[1].HTTP+"/v1/users")
	if want == 0 || total(sim) != want {
		t.Errorf("%d requests for one replica, %d for both", want, total(sim))
	}
	names := func(answer string) int { return strings.Count(answer, `"name":"users/`) }
	if names(first) == 0 || names(first) != names(second) {
		t.Errorf("%s\n%s", first, second)
	}
}
