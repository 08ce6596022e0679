package parley

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/internal/cursorpb"
	"github.com/parley-gateway/parley/internal/seal"
)

var updateGolden = flag.String("update-golden", "", "write what tokens of this release hold, such as v0.1.0")

const (
	goldenFolder     = "timeline/cursor/testdata/releases"
	goldenDescriptor = "cursor.binpb"
	goldenPage       = 2
	// goldenGraph stands for the address of Graph in the links of tokens.
	goldenGraph = "https://graph.example"
)

// goldenWalk is a walk over the simulator's data that was left after its first page.
type goldenWalk struct {
	// List is the request without a token, and Stream the same for a stream; empty = there is none.
	List   string `json:"list"`
	Stream string `json:"stream"`
	// Rows is the member of an answer that holds rows, and ID the member of a row that names it. Next is the member
	// with the token.
	Rows string `json:"rows"`
	ID   string `json:"id"`
	Next string `json:"next"`

	// Cursor is the content of the token behind the first page, Digest what it is bound to, and Rest the rows that follow.
	Cursor []byte   `json:"cursor"`
	Digest []byte   `json:"digest"`
	Rest   []string `json:"rest"`

	// Unordered says that the rest comes in no order.
	Unordered bool `json:"unordered,omitempty"`
	// Inner and InnerDigest are the content of the token in the content of a token over the users of a tenant.
	Inner       []byte `json:"inner,omitempty"`
	InnerDigest []byte `json:"innerDigest,omitempty"`
}

// goldenWalks are walks of every kind that has tokens.
func goldenWalks(user, chat, event string) map[string]goldenWalk {
	events := goldenWalk{Rows: "events", ID: "uid", Next: "nextPageToken"}
	usage := goldenWalk{Rows: "rows", ID: "user", Next: "nextPageToken"}
	conversations := goldenWalk{Rows: "conversations", ID: "name", Next: "nextPageToken"}
	interval := "startTime=2026-02-20T00:00:00Z&endTime=2026-03-20T00:00:00Z"
	with := func(w goldenWalk, path, values, stream string) goldenWalk {
		w.List = path + "?pageSize=" + strconv.Itoa(goldenPage) + "&" + values
		if stream != "" {
			w.Stream = path + stream + "?" + values
		}
		return w
	}
	previous := with(events, user+"/events", interval+"&sources=SOURCE_CHAT&around="+event, "")
	next := previous
	previous.Next = "previousPageToken"
	return map[string]goldenWalk{
		"events":          with(events, user+"/events", interval+"&sources=SOURCE_COPILOT&sources=SOURCE_CHAT", ":stream"),
		"events-newest":   with(events, user+"/events", interval+"&sources=SOURCE_COPILOT&sources=SOURCE_CHAT&orderBy=event_time+desc", ":stream"),
		"events-filtered": with(events, user+"/events", interval+"&sources=SOURCE_CHAT&view=EVENT_VIEW_FULL&filter="+url.QueryEscape("kind = EVENT_KIND_MESSAGE"), ":stream"),
		"chat-chain":      with(events, chat+"/events", interval+"&sources=SOURCE_CHAT&orderBy=create_time+desc", ":stream"),
		"around-next":     next, "around-previous": previous,
		"conversations":         with(conversations, user+"/conversations", "view=EVENT_VIEW_BASIC", ":stream"),
		"conversations-derived": with(conversations, user+"/conversations", interval+"&sources=SOURCE_COPILOT", ":stream"),
		"usage":                 with(usage, "copilotUsage", "period=D30", ":stream"),
		"usage-inactive":        with(usage, "copilotUsage", "period=D30&include=INACTIVE", ":stream"),
		"usage-trends":          with(goldenWalk{Rows: "days", ID: "reportDate", Next: "nextPageToken"}, "copilotUsageTrends", "period=D7", ""),
		"users":                 with(goldenWalk{Rows: "users", ID: "name", Next: "nextPageToken"}, "users", "view=EVENT_VIEW_BASIC", ""),
	}
}

// goldenSealer notes what it seals.
type goldenSealer struct {
	*seal.Keys

	mu     sync.Mutex
	sealed map[string]goldenWalk // with cursor and digest, by token
}

func (s *goldenSealer) Seal(plain, digest []byte) (string, error) {
	token, err := s.Keys.Seal(plain, digest)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed[token] = goldenWalk{Cursor: bytes.Clone(plain), Digest: bytes.Clone(digest)}
	return token, err
}

// all returns everything that was sealed.
func (s *goldenSealer) all() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([][]byte, 0, len(s.sealed))
	for _, w := range s.sealed {
		all = append(all, w.Cursor)
	}
	return all
}

// golden is a gateway over data that never change.
type golden struct {
	graph, base string
	sealer      *goldenSealer
	oracle      *graphsim.Oracle
}

func newGolden(t *testing.T) *golden {
	t.Helper()
	sim, err := graphsim.New(graphsim.Config{
		Plain: true, Seed: 4, Users: 7, Chats: 12, Messages: 500, Interactions: 150, Calls: 5, Days: 90, ChatPageSize: 3, ReportPageSize: 3,
		Now: func() time.Time { return time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { goldenEnd(t, sim.Close) })
	keys, err := seal.Random()
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{graph: sim.URL(), sealer: &goldenSealer{Keys: keys, sealed: make(map[string]goldenWalk)}, oracle: sim.Oracle("")}
	gateway, err := New(Config{
		Tenants:   map[string]Tenant{"sim": {BaseURL: sim.URL(), Credential: "none"}},
		AuditFile: filepath.Join(t.TempDir(), "audit"), Logger: slog.New(slog.DiscardHandler), sealer: g.sealer,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := gateway.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { goldenEnd(t, gateway.Close) })
	g.base = "http://" + gateway.Addrs().HTTP + "/v1"
	return g
}

func goldenEnd(t *testing.T, stop func(context.Context) error) {
	t.Helper()
	if err := stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// get asks for a request with a token.
func (g *golden) get(t *testing.T, request, param, token string) (int, []byte) {
	t.Helper()
	if !strings.HasPrefix(request, ":") {
		request = "/" + request
	}
	ask, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.base+request+"&"+param+"="+token, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(ask)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, body
}

// rows returns the rows of an answer or a batch.
func (w *goldenWalk) rows(t *testing.T, from map[string]any) []string {
	t.Helper()
	list, _ := from[w.Rows].([]any)
	all := make([]string, 0, len(list))
	for _, row := range list {
		members, _ := row.(map[string]any)
		id, _ := members[w.ID].(string)
		if id == "" {
			t.Fatalf("a row without %s: %v", w.ID, row)
		}
		all = append(all, id)
	}
	return all
}

// page reads a page of a list.
func (g *golden) page(t *testing.T, w *goldenWalk, token string) (rows []string, next string) {
	t.Helper()
	status, body := g.get(t, w.List, "pageToken", token)
	var answer map[string]any
	if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK {
		t.Fatalf("%s: HTTP %d, %v in %.600s", w.List, status, err, body)
	}
	next, _ = answer[w.Next].(string)
	return w.rows(t, answer), next
}

// rest reads a list from a token to its end.
func (g *golden) rest(t *testing.T, w *goldenWalk, token string) (all []string) {
	t.Helper()
	for token != "" {
		var rows []string
		rows, token = g.page(t, w, token)
		all = append(all, rows...)
	}
	return all
}

// stream reads a stream from a token to its end.
func (g *golden) stream(t *testing.T, w *goldenWalk, token string) (all []string) {
	t.Helper()
	status, body := g.get(t, w.Stream, "resumeToken", token)
	if status != http.StatusOK {
		t.Fatalf("%s: HTTP %d %.600s", w.Stream, status, body)
	}
	ended := false
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, len(body)+1)
	for lines.Scan() {
		var frame struct {
			Batch   map[string]any `json:"batch"`
			Summary map[string]any `json:"summary"`
		}
		if err := json.Unmarshal(lines.Bytes(), &frame); err != nil {
			t.Fatal(err)
		}
		all = append(all, w.rows(t, frame.Batch)...)
		ended = frame.Summary != nil
	}
	if !ended {
		t.Fatalf("%s has no summary: %.600s", w.Stream, body)
	}
	if w.Unordered {
		slices.Sort(all)
	}
	return all
}

// relinked returns the content of a token with the address of Graph in its link replaced, and with another version if one is given.
func relinked(t *testing.T, plain []byte, from, to string, version uint32) []byte {
	t.Helper()
	c := &cursorpb.Cursor{}
	if err := proto.Unmarshal(plain, c); err != nil {
		t.Fatal(err)
	}
	if pages := c.GetPages(); pages != nil {
		pages.Link = bytes.Replace(pages.GetLink(), []byte(from), []byte(to), 1)
	}
	if version > 0 {
		c.Version = version
	}
	plain, err := proto.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// token seals the content of a token that a release has made.
func (g *golden) token(t *testing.T, w *goldenWalk, version uint32) string {
	t.Helper()
	token, err := g.sealer.Keys.Seal(g.resealed(t, w, relinked(t, w.Cursor, goldenGraph, g.graph, version)), w.Digest)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestGolden: a token of an earlier release goes on. Every kind of walk ends as it did in the release, by list and by stream.
// A token of a version that is not read says so.
func TestGolden(t *testing.T) {
	t.Parallel()
	g := newGolden(t)
	if *updateGolden != "" {
		g.update(t, filepath.Join(goldenFolder, *updateGolden))
	}
	files, err := filepath.Glob(filepath.Join(goldenFolder, "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tokens of releases: %v", err)
	}
	for _, file := range files {
		w := readGolden(t, file)
		token := g.token(t, &w, 0)
		if w.List != "" {
			if diff := cmp.Diff(w.Rest, g.rest(t, &w, token)); diff != "" {
				t.Errorf("%s: the list goes on with other rows (-release +now); docs/upgrading.md says what is promised:\n%s", file, diff)
			}
		}
		if w.Stream != "" {
			if diff := cmp.Diff(w.Rest, g.stream(t, &w, token)); diff != "" {
				t.Errorf("%s: the stream goes on with other rows (-release +now); docs/upgrading.md says what is promised:\n%s", file, diff)
			}
		}
		g.checkRefusals(t, file, &w)
	}
	checkWritten(t, g.sealer.all())
}

// checkRefusals tries tokens that cannot be read.
func (g *golden) checkRefusals(t *testing.T, file string, w *goldenWalk) {
	t.Helper()
	other := g.token(t, w, 1000)
	damaged := g.token(t, w, 0)[1:]
	for token, reason := range map[string]string{other: "TOKEN_VERSION", damaged: "TOKEN_REFUSED"} {
		requests := map[string]string{w.List: "pageToken", w.Stream: "resumeToken"}
		delete(requests, "") // there is none
		for request, param := range requests {
			status, body := g.get(t, request, param, token)
			if status != http.StatusBadRequest || !strings.Contains(string(body), `"`+reason+`"`) {
				t.Errorf("%s, %s: HTTP %d %.300s, want %s", file, param, status, body, reason)
			}
		}
	}
}

func readGolden(t *testing.T, file string) (w goldenWalk) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &w); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return w
}

// checkWritten reads what is sealed today by the message of every release: it has no field that they do not know.
func checkWritten(t *testing.T, written [][]byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(goldenFolder, "*", goldenDescriptor))
	if err != nil || len(files) == 0 || len(written) == 0 {
		t.Fatalf("%d messages of releases, %d tokens: %v", len(files), len(written), err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		described := &descriptorpb.FileDescriptorProto{}
		if err := proto.Unmarshal(raw, described); err != nil {
			t.Fatal(err)
		}
		built, err := protodesc.NewFile(described, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, plain := range written {
			m := dynamicpb.NewMessage(built.Messages().ByName("Cursor"))
			if err := proto.Unmarshal(plain, m); err != nil {
				t.Fatal(err)
			}
			if unknown := unknownIn(m); len(unknown) > 0 {
				t.Errorf("tokens have fields of %s that %s does not know: they are read by one release before they are written by the next, see docs/upgrading.md",
					unknown, file)
				break
			}
		}
	}
}

// unknownIn returns the name of a message in m with an unknown field; empty = none has one.
func unknownIn(m protoreflect.Message) (name protoreflect.FullName) {
	if len(m.GetUnknown()) > 0 {
		return m.Descriptor().FullName()
	}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Message() == nil:
		case field.IsList():
			for i := 0; i < value.List().Len() && name == ""; i++ {
				name = unknownIn(value.List().Get(i).Message())
			}
		default:
			name = unknownIn(value.Message())
		}
		return name == ""
	})
	return name
}

// update writes the tokens of this build.
func (g *golden) update(t *testing.T, folder string) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	user, chat := "", ""
	for u := range g.oracle.Users() {
		user = "users/" + u.ID
		for id := range g.oracle.Chats(u.ID) {
			chat = user + "/conversations/" + id
			break
		}
		if chat != "" {
			break
		}
	}
	anchors := goldenWalk{List: user + "/events?startTime=2026-03-04T00:00:00Z&endTime=2026-03-08T00:00:00Z&sources=SOURCE_CHAT", Rows: "events", ID: "name"}
	anchor, _ := g.page(t, &anchors, "")
	for name, w := range goldenWalks(user, chat, url.QueryEscape(anchor[0])) {
		_, token := g.page(t, &w, "")
		g.sealer.mu.Lock()
		sealed, ok := g.sealer.sealed[token]
		g.sealer.mu.Unlock()
		if !ok {
			t.Fatalf("%s has no second page", name)
		}
		w.Cursor, w.Digest = relinked(t, sealed.Cursor, g.graph, goldenGraph, 0), sealed.Digest
		if w.Rest = g.rest(t, &w, token); len(w.Rest) == 0 {
			t.Fatalf("%s has nothing behind its first page", name)
		}
		writeWalk(t, folder, name, &w)
		if name == "events" {
			tenant := g.tenantWalk(t, user, &w)
			writeWalk(t, folder, "tenant", &tenant)
		}
	}
	raw, err := proto.Marshal(protodesc.ToFileDescriptorProto(cursorpb.File_cursorpb_cursor_proto))
	if err != nil {
		t.Fatal(err)
	}
	writeGolden(t, filepath.Join(folder, goldenDescriptor), raw)
}

func writeWalk(t *testing.T, folder, name string, w *goldenWalk) {
	t.Helper()
	text, err := json.MarshalIndent(w, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	writeGolden(t, filepath.Join(folder, name+".json"), append(text, '\n'))
}

func writeGolden(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o644); err != nil {
		t.Fatal(err)
	}
}
