package conformance

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/inproc"
	"github.com/parley-gateway/parley/server/rest"
)

// service is a gateway that plays one connection.
type service struct {
	parleyv1.UnimplementedEventServiceServer

	connection Connection
}

// StreamEvents implements parleyv1.EventServiceServer.
func (s *service) StreamEvents(_ *parleyv1.StreamEventsRequest, stream grpc.ServerStreamingServer[parleyv1.StreamEventsResponse]) error {
	script := newScript(&Case{})
	for _, step := range s.connection.Steps {
		if err := script.step(stream.Context(), step, &grpcLink{stream: stream}); err != nil {
			return err
		}
	}
	if s.connection.Error != nil {
		return s.connection.Error.status().Err()
	}
	return nil
}

// answer is what a server answers over REST.
type answer struct {
	Status                  int
	ContentType, RetryAfter string
	Body                    string
}

func ask(t *testing.T, base, accept string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/v1/users/u%40example.com/events:stream?sources=SOURCE_CHAT", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", accept)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{
		Status: response.StatusCode, ContentType: response.Header.Get("Content-Type"), RetryAfter: response.Header.Get("Retry-After"),
		Body: string(body),
	}
}

// sorted is a body with the members of its errors in the order of their names: they carry no order.
func sorted(t *testing.T, body string) string {
	t.Helper()
	lines := strings.Split(body, "\n")
	for i, line := range lines {
		head, data, isEvent := strings.Cut(line, "data: ")
		if !isEvent {
			head, data = "", line
		}
		if !strings.HasPrefix(data, `{"error":`) && !strings.HasPrefix(data, `{"code":`) {
			continue
		}
		members, err := addMembers([]byte(data))
		if err != nil {
			t.Fatal(err)
		}
		lines[i] = head + string(members)
	}
	return strings.Join(lines, "\n")
}

// TestRESTIsTheGateways: what the stand-in answers over REST is what the gateway answers, to the byte but for the order of an error's members.
func TestRESTIsTheGateways(t *testing.T) {
	t.Parallel()
	cases, err := Cases()
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, c := range cases {
		first := c.Connections[0]
		if first.Error == nil && first.End != EndOK || first.Error != nil && first.Error.Reason == "" || len(first.Steps) == 0 && first.Error == nil {
			continue // the gateway does not break connections, and sends a frame or an error
		}
		if strings.Contains(c.Name, "unknown") || strings.Contains(c.Name, "slow") || strings.Contains(c.Name, "ended") {
			continue // fields of later, and a program that has to take its part
		}
		compared++
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			conn := inproc.New(nil, nil)
			parleyv1.RegisterEventServiceServer(conn, &service{connection: first})
			handler, err := rest.New(rest.Config{Conn: conn})
			if err != nil {
				t.Fatal(err)
			}
			gateway := httptest.NewServer(handler)
			defer gateway.Close()
			for _, accept := range []string{"application/x-ndjson", "text/event-stream"} {
				server, err := Serve(t.Context(), c)
				if err != nil {
					t.Fatal(err)
				}
				want, got := ask(t, gateway.URL, accept), ask(t, server.REST, accept)
				server.Close()
				want.Body, got.Body = sorted(t, want.Body), sorted(t, got.Body)
				if difference := cmp.Diff(want, got); difference != "" {
					t.Errorf("%s, gateway -, stand-in +\n%s", accept, difference)
				}
			}
		})
	}
	if compared < 20 {
		t.Errorf("%d cases compared", compared)
	}
}

// fastExit keeps the race detector of a program from waiting a second at its end.
const fastExit = "GORACE=atexit_sleep_ms=0"

// driverLines is the variable with which this test's program is a driver that prints lines and asks nothing.
const driverLines = "PARLEY_TEST_DRIVER_LINES"

func TestMain(m *testing.M) {
	if lines, isDriver := os.LookupEnv(driverLines); isDriver {
		_, _ = os.Stdout.WriteString(lines)
		if strings.Contains(lines, `"end"`) {
			_, _ = io.Copy(io.Discard, os.Stdin)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// TestMistakesAreFound: a driver that does something else than the case fails, and the error says in what.
func TestMistakesAreFound(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c, err := parse([]byte(`{"about": "", "client": {"request": {"parent": "users/u"}}, "connections": [],
		"deliver": [{"event": {"uid": "a", "version": "1"}}, {"checkpoint": "t1"}], "end": {"state": "complete", "resumeToken": "t2"}}`))
	if err != nil {
		t.Fatal(err)
	}
	const a, t1 = `{"event":{"uid":"a","version":"1"}}` + "\n", `{"checkpoint":"t1"}` + "\n"
	const end = `{"end":{"resumeToken":"t2","state":"complete"}}` + "\n"
	for lines, want := range map[string]string{
		a + t1 + end:     "",
		t1 + a + end:     `item 1 is {"checkpoint":"t1"}, expected {"event":`,
		a + end:          `item 2 is {"end":`,
		a + t1:           "the driver ended without an end",
		a + a + t1 + end: `item 2 is {"event":{"uid":"a","version":"1"}}, expected {"checkpoint":"t1"}`,
		a + t1 + `{"end":{"state":"complete"}}` + "\n": `item 3 is {"end":{"state":"complete"}}, expected`,
		"x\n": `the driver printed "x"`,
	} {
		driver := Driver{Command: []string{program}, Env: []string{driverLines + "=" + lines, fastExit}}
		if err := driver.Run(t.Context(), c); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", lines, err, want)
		}
	}
	c.Connections = []Connection{{End: EndOK}}
	driver := Driver{Command: []string{program}, Env: []string{driverLines + "=" + a + t1 + end, fastExit}}
	if err := driver.Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), "0 connections came, expected 1") {
		t.Errorf("a driver that asks nothing: %v", err)
	}
}

// TestCallsAreChecked: another token, credential or request than expected, a call too early and one too many are found.
func TestCallsAreChecked(t *testing.T) {
	t.Parallel()
	c, err := parse([]byte(`{"about": "", "client": {"request": {"parent": "users/u@example.com", "sources": ["SOURCE_CHAT"]}}, "connections": [
		{"expect": {}, "steps": [], "end": "ok"},
		{"expect": {"resumeToken": "t1", "authorization": "Bearer x", "minWaitMillis": 3600000}, "steps": [], "end": "ok"}], "deliver": [], "end": {}}`))
	if err != nil {
		t.Fatal(err)
	}
	server, err := Serve(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for range 2 {
		ask(t, server.REST, "application/x-ndjson")
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.REST+"/v1/users/u/events:stream", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := http.DefaultTransport.RoundTrip(r); err == nil {
		_ = response.Body.Close()
		t.Error("a call too many is answered")
	}
	server.script.mu.Lock()
	defer server.script.mu.Unlock()
	got := strings.Join(server.script.problems, "\n")
	for _, want := range []string{
		`connection 2: resume token "", expected "t1"`, `connection 2: authorization "", expected "Bearer x"`, "connection 2: it comes after",
		"connection 3 comes, but the case has 2",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not among\n%s", want, got)
		}
	}
	if strings.Contains(got, "connection 1") || strings.Contains(got, "the request is") {
		t.Errorf("a call as expected is refused:\n%s", got)
	}
}

// TestCasesAreStrict: what a case does not mean is refused.
func TestCasesAreStrict(t *testing.T) {
	t.Parallel()
	const head = `{"about": "", "client": {"request": {"parent": "users/u"}}, "deliver": [], "end": {}, "connections": [`
	for _, text := range []string{
		``, head + `{"expect": {}, "steps": []}]}`, head + `{"expect": {}, "steps": [], "end": "later"}]}`, head + `{"expect": {}, "step": [], "end": "ok"}]}`,
		head + `{"expect": {}, "steps": [{"frame": {"x": 1}}], "end": "ok"}]}`, head + `{"expect": {}, "steps": [], "end": "ok", "error": {"code": "INTERNAL"}}]}`,
		head + `{"expect": {}, "steps": [], "error": {"code": "BROKEN"}}]}`, `{"client": {"request": {"x": 1}}, "connections": []}`,
	} {
		if _, err := parse([]byte(text)); err == nil {
			t.Errorf("%s is read", text)
		}
	}
}
