package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/graphsim/faults"
	"github.com/parley-gateway/parley/internal/config"
)

// callsRead is what one way of asking told of a user's calls.
type callsRead struct {
	ids      []string
	complete bool
	codes    []string // of notices
	gaps     []string // reasons
}

func (r *callsRead) add(events []*parleyv1.Event) {
	for _, e := range events {
		r.ids = append(r.ids, e.GetSource().GetId())
	}
}

func (r *callsRead) end(complete bool, notices []*parleyv1.Notice, sources []*parleyv1.SourceReport) {
	r.complete = complete
	for _, n := range notices {
		r.codes = append(r.codes, n.GetCode())
	}
	for _, s := range sources {
		for _, g := range s.GetGaps() {
			r.gaps = append(r.gaps, g.GetReason())
		}
	}
	slices.Sort(r.ids)
}

// dial connects over gRPC.
func (g *guarded) dial(t *testing.T) parleyv1.EventServiceClient {
	t.Helper()
	return parleyv1.NewEventServiceClient(dialGRPC(t, g.grpc))
}

// calls reads a user's calls in every way: List and Stream, over gRPC and REST, with every view.
func (g *guarded) calls(t *testing.T, token, user, since string, views ...parleyv1.EventView) map[string]callsRead {
	t.Helper()
	client, parent := g.dial(t), "users/"+user
	at, err := time.Parse(time.RFC3339, since)
	if err != nil {
		t.Fatal(err)
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
	start, only := timestamppb.New(at), []parleyv1.Source{parleyv1.Source_SOURCE_CALL}
	all := map[string]callsRead{}
	for _, view := range views {
		name := view.String()
		path := "/v1/users/" + user + "/events"
		query := "?sources=SOURCE_CALL&startTime=" + since + "&view=" + name
		all["list, REST, "+name] = g.listCalls(t, token, path+query+"&pageSize=7")
		all["stream, REST, "+name] = g.streamCalls(t, token, path+":stream"+query)
		var list callsRead
		for request := (&parleyv1.ListEventsRequest{Parent: parent, Sources: only, StartTime: start, View: view, PageSize: 7}); ; {
			page, err := client.ListEvents(ctx, request)
			if err != nil {
				t.Fatalf("list, gRPC, %s: %v", name, err)
			}
			list.add(page.GetEvents())
			list.end(page.GetComplete(), page.GetNotices(), page.GetSources())
			if request.PageToken = page.GetNextPageToken(); request.GetPageToken() == "" {
				break
			}
		}
		all["list, gRPC, "+name] = list
		all["stream, gRPC, "+name] = streamOfCalls(ctx, t, client, &parleyv1.StreamEventsRequest{Parent: parent, Sources: only, StartTime: start, View: view})
	}
	return all
}

func streamOfCalls(ctx context.Context, t *testing.T, client parleyv1.EventServiceClient, request *parleyv1.StreamEventsRequest) callsRead {
	t.Helper()
	var read callsRead
	stream, err := client.StreamEvents(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	for {
		frame, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return read
		}
		if err != nil {
			t.Fatalf("stream, gRPC: %v", err)
		}
		read.add(frame.GetBatch().GetEvents())
		if s := frame.GetSummary(); s != nil {
			read.end(s.GetComplete(), s.GetNotices(), s.GetSources())
		}
	}
}

func (g *guarded) listCalls(t *testing.T, token, path string) callsRead {
	t.Helper()
	var read callsRead
	for next := ""; ; {
		status, reason, body := g.ask(t, token, path+next)
		var page parleyv1.ListEventsResponse
		if err := protojson.Unmarshal([]byte(body), &page); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %s %v %.300s", path, status, reason, err, body)
		}
		read.add(page.GetEvents())
		read.end(page.GetComplete(), page.GetNotices(), page.GetSources())
		if page.GetNextPageToken() == "" {
			return read
		}
		next = "&pageToken=" + page.GetNextPageToken()
	}
}

func (g *guarded) streamCalls(t *testing.T, token, path string) callsRead {
	t.Helper()
	var read callsRead
	status, reason, body := g.ask(t, token, path)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s %.300s", path, status, reason, body)
	}
	lines := bufio.NewScanner(strings.NewReader(body))
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		var frame parleyv1.StreamEventsResponse
		if err := protojson.Unmarshal(lines.Bytes(), &frame); err != nil {
			t.Fatalf("%v in %.300s", err, lines.Bytes())
		}
		read.add(frame.GetBatch().GetEvents())
		if s := frame.GetSummary(); s != nil {
			read.end(s.GetComplete(), s.GetNotices(), s.GetSources())
		}
	}
	return read
}

// TestAFilterIsNoAuthorization stands before a Graph that ignores the participant beside the interval, as the kind of all
// filters that Graph takes and does not evaluate: who may read their own data gets their own calls from Lists and streams of
// every view, and not one of anybody else; who may read everybody is told that Graph's answer is in doubt. An honest Graph
// answers the same calls without a word.
func TestAFilterIsNoAuthorization(t *testing.T) {
	t.Parallel()
	const ignored, unproved = "PARTICIPANT_NOT_HONOURED", "PARTICIPATION_NOT_PROVED"
	record := func(match string) faults.Fault {
		return faults.Fault{Match: match, Kind: faults.Status, Status: http.StatusNotFound, Code: "NotFound"}
	}
	for name, c := range map[string]struct {
		ignore  bool
		officer bool
		faults  []faults.Fault
		none    bool   // nothing can be proved
		foreign bool   // others' calls may come, with a doubt
		gap     string // reason
		told    bool
	}{
		"own, honest":                          {},
		"own, ignored":                         {ignore: true, told: true},
		"own, ignored, no participants":        {ignore: true, gap: unproved, faults: []faults.Fault{record("/participants_v2")}},
		"own, ignored, no record":              {ignore: true, none: true, gap: unproved, faults: []faults.Fault{record("/callrecords/")}},
		"own, honest, no record":               {none: true, gap: unproved, faults: []faults.Fault{record("/callrecords/")}},
		"everybody, honest":                    {officer: true},
		"everybody, ignored":                   {officer: true, ignore: true, foreign: true, gap: ignored, told: true},
		"everybody, honest, canary unanswered": {officer: true, faults: []faults.Fault{{Match: "/callrecords", Kind: faults.Status, Status: http.StatusServiceUnavailable, After: 1, Times: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := guardOver(t, graphsim.Config{
				Users: 8, Chats: 30, Messages: 100, Interactions: 20, Calls: 40, IgnoreCallParticipant: c.ignore,
			}, func(settings *config.Settings) {
				settings.PolicyFile = filepath.Join("..", "..", "docs", "policies", "entra-app-roles.yaml")
			})
			users := slices.Collect(g.sim.Oracle("").Users())
			user, since := users[1], daysAgo(6).Format("2006-01-02T00:00:00Z")
			from, err := time.Parse(time.RFC3339, since)
			if err != nil {
				t.Fatal(err)
			}
			var own []string
			for r := range g.sim.Oracle("").Records(graphsim.SourceCall, user.ID, from, time.Time{}) {
				own = append(own, r.ID)
			}
			everybody := 0
			for range g.sim.Oracle("").Records(graphsim.SourceCall, "", from, time.Time{}) {
				everybody++
			}
			slices.Sort(own)
			if len(own) == 0 || len(own) == everybody {
				t.Fatalf("%d calls of %d: the data tells nothing", len(own), everybody)
			}
			if err := g.sim.SetFaults(c.faults); err != nil {
				t.Fatal(err)
			}
			caller := graphsim.CallerToken{User: user.ID}
			if c.officer {
				caller = graphsim.CallerToken{User: users[2].ID, Roles: []string{"Conversations.Read.All"}}
			}
			views := []parleyv1.EventView{1, 2, 3}
			if c.faults != nil {
				views = views[1:2] // what fails is asked for again each time
			}
			for how, read := range g.calls(t, g.token(t, caller), user.ID, since, views...) {
				whole := strings.HasPrefix(how, "stream") && strings.HasSuffix(how, "FULL")
				want, gap, told := own, c.gap, c.told
				switch {
				case c.none: // but for what a row says by itself
					if len(read.ids) >= len(own) || slices.ContainsFunc(read.ids, func(id string) bool { return !slices.Contains(own, id) }) {
						t.Errorf("%s: %d calls, not fewer than the %d own ones, or foreign ones", how, len(read.ids), len(own))
					}
					want = read.ids
				case c.foreign && whole:
					gap = "" // each record is read, so that nothing is in doubt
				case c.foreign:
					if len(read.ids) != everybody {
						t.Errorf("%s: %d calls, want %d", how, len(read.ids), everybody)
					}
					want = read.ids
				}
				if !slices.Equal(read.ids, want) {
					t.Errorf("%s: calls\n%q, want\n%q", how, read.ids, want)
				}
				if read.complete != (gap == "") || gap != "" && !slices.Contains(read.gaps, gap) || slices.Contains(read.codes, ignored) != told {
					t.Errorf("%s: complete %v, gaps %q, notices %q", how, read.complete, read.gaps, read.codes)
				}
			}
		})
	}
}
