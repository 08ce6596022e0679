package cli_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// The tests of this file hold that a setting bounds what one call holds. They set it for a gateway in a process of its own
// and see its effect over gRPC, NDJSON and server-sent events.

// end is how a stream or call ended: the reason of its error, its token, and whether the error says to go on at once.
type end struct {
	reason, token string
	now           bool
}

func endOf(err error) end {
	var e end
	for _, detail := range status.Convert(err).Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			e.reason, e.token = d.GetReason(), d.GetMetadata()["resume_token"]
		case *errdetails.RetryInfo:
			e.now = d.GetRetryDelay().AsDuration() == 0
		}
	}
	return e
}

// quoted is the JSON string of a field in a text; empty = there is none.
func quoted(text, field string) string {
	_, after, _ := strings.Cut(text, `"`+field+`":"`)
	value, _, _ := strings.Cut(after, `"`)
	return value
}

// events is a client over gRPC.
func (p *process) events(t *testing.T) parleyv1.EventServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(p.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return parleyv1.NewEventServiceClient(conn)
}

// streamRequest asks for what streamPath asks for.
func streamRequest(days int) *parleyv1.StreamEventsRequest {
	return &parleyv1.StreamEventsRequest{
		Parent: "users/00000001-0000-4000-8000-000000000000", Sources: []parleyv1.Source{parleyv1.Source_SOURCE_CHAT},
		StartTime: timestamppb.New(time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -days)),
	}
}

// streamEnds read a stream to its end, over each protocol.
func (p *process) streamEnds(t *testing.T) map[string]func() end {
	t.Helper()
	overREST := func(accept string) end {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.http+streamPath(1, 27), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", accept)
		resp, err := p.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		last := ""
		for lines := bufio.NewReader(resp.Body); ; {
			line, err := lines.ReadString('\n')
			if strings.Contains(line, `"error":`) {
				last = line
			}
			if err != nil {
				return end{quoted(last, "reason"), quoted(last, "resume_token"), strings.Contains(last, `"retryDelay":"0s"`)}
			}
		}
	}
	return map[string]func() end{
		"NDJSON":             func() end { return overREST("application/x-ndjson") },
		"server-sent events": func() end { return overREST("text/event-stream") },
		"gRPC": func() end {
			stream, err := p.events(t).StreamEvents(t.Context(), streamRequest(27))
			for err == nil {
				_, err = stream.Recv()
			}
			return endOf(err)
		},
	}
}

// TestBoundsOfStreams: PARLEY_STREAM_AGE ends streams as planned, with a token; where PARLEY_MAX_DEADLINE is set, they grow no older
// than it.
func TestBoundsOfStreams(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"PARLEY_STREAM_AGE", "PARLEY_MAX_DEADLINE"} {
		for _, name := range []string{"gRPC", "NDJSON", "server-sent events"} {
			t.Run(setting+" over "+name, func(t *testing.T) {
				t.Parallel()
				g := newMailbox(t, 100, 100)
				g.holds = time.Now().AddDate(0, 0, -10) // so that streams send events, and do not come to their end
				var got end
				// On a busy machine a stream may be old before it has a token; it then gets older.
				for age := 3 * time.Second; got.token == "" && age < 10*time.Minute; age *= 4 {
					p := spawn(t, g.URL, []string{setting + "=" + age.String()})
					begin := time.Now()
					got = p.streamEnds(t)[name]()
					if took := time.Since(begin); took < age {
						t.Errorf("the stream ended after %v, before %v", took, age)
					}
				}
				if got.reason != "STREAM_ENDED" || got.token == "" || !got.now {
					t.Errorf("the stream ended with %+v", got)
				}
			})
		}
	}
}

// count is how many lines of the metrics hold a text and are not zero.
func (p *process) count(t *testing.T, text string) (n int) {
	t.Helper()
	resp, err := p.client.Get("http://" + p.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if strings.Contains(lines.Text(), text) && !strings.HasSuffix(lines.Text(), " 0") {
			n++
		}
	}
	return n
}

// TestBoundOfReaders: a stream whose reader takes nothing for PARLEY_STREAM_STALL is ended. Over gRPC the reader who comes back learns
// so; over REST the connection is cut.
func TestBoundOfReaders(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"gRPC", "application/x-ndjson", "text/event-stream"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			p := spawn(t, newMailbox(t, 300, 28_000).URL, []string{"PARLEY_STREAM_STALL=1s"})
			var read func() end
			if protocol == "gRPC" {
				stream, err := p.events(t).StreamEvents(t.Context(), streamRequest(27))
				if err != nil {
					t.Fatal(err)
				}
				for token := ""; token == ""; { // and nothing behind the first checkpoint
					frame, err := stream.Recv()
					if err != nil {
						t.Fatal(err)
					}
					token = frame.GetCheckpoint().GetResumeToken()
				}
				read = func() end {
					for err == nil {
						_, err = stream.Recv()
					}
					return endOf(err)
				}
			} else {
				conn, err := net.Dial("tcp", p.http)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: %s\r\n\r\n", streamPath(1, 27), p.http, protocol); err != nil {
					t.Fatal(err)
				}
				read = func() end {
					text, err := io.ReadAll(conn) // a cut connection may end by a reset
					if strings.Contains(string(text), `"summary"`) || strings.Contains(string(text), `"error":`) {
						t.Errorf("the stream came to an end: %v", err)
					}
					return end{"STREAM_ENDED", "cut", true}
				}
			}
			for deadline := time.Now().Add(time.Minute); p.count(t, `reason="STREAM_ENDED"`) == 0; {
				if time.Now().After(deadline) {
					t.Fatal("a stream whose reader takes nothing goes on")
				}
			}
			if got := read(); got.reason != "STREAM_ENDED" || got.token == "" || !got.now {
				t.Errorf("the stream ended with %+v", got)
			}
		})
	}
}

// TestBoundOfDeadlines: PARLEY_MAX_DEADLINE cuts the deadlines of lists, however long their callers would wait: they answer with what
// they have.
func TestBoundOfDeadlines(t *testing.T) {
	t.Parallel()
	g := newMailbox(t, 1, 100)
	g.delay = time.Hour
	p := spawn(t, g.URL, []string{"PARLEY_MAX_DEADLINE=1s"})
	for name, list := range map[string]func(t *testing.T) (incomplete bool){
		"gRPC": func(t *testing.T) bool {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			answer, err := p.events(t).ListEvents(ctx, &parleyv1.ListEventsRequest{Parent: streamRequest(1).GetParent(), Sources: streamRequest(1).GetSources()})
			return status.Code(err) == codes.DeadlineExceeded || err == nil && !answer.GetComplete()
		},
		"REST": func(t *testing.T) bool {
			t.Helper()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.http+strings.Replace(streamPath(1, 1), ":stream", "", 1), http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Grpc-Timeout", "99999999H")
			resp, err := p.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return quoted(string(text), "reason") == "DEADLINE_EXCEEDED" || strings.Contains(string(text), `"complete":false`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			incomplete := list(t)
			if took := time.Since(begin); !incomplete || took > time.Minute {
				t.Errorf("the list ended after %v, incomplete: %v", took, incomplete)
			}
		})
	}
}
