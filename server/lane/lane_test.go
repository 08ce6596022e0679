package lane_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/parley-gateway/parley/server/lane"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// served is a handler behind net/http, with or without a lane before it.
type served struct {
	addr string
	lane *lane.Lane
	web  *http.Server
	done chan error
}

// short takes what is below /short.
func short(target string) bool { return strings.HasPrefix(target, "/short") }

// plainly serves a handler by net/http alone.
func plainly(tb testing.TB, handler http.Handler) *served {
	tb.Helper()
	return serveOn(tb, listen(tb), handler, nil)
}

// laned serves a handler with a lane.
func laned(tb testing.TB, handler http.Handler) *served {
	tb.Helper()
	over := lane.New(listen(tb), lane.Config{Handler: handler, Takes: short, HeaderTime: time.Minute, IdleTime: time.Minute})
	return serveOn(tb, over, over.Back(handler), over)
}

func serveOn(tb testing.TB, listener net.Listener, handler http.Handler, over *lane.Lane) *served {
	tb.Helper()
	s := &served{
		addr: listener.Addr().String(), lane: over, done: make(chan error, 1),
		web: &http.Server{
			Handler: handler, ReadHeaderTimeout: time.Minute, MaxHeaderBytes: 64 << 10,
			ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		},
	}
	go func() { s.done <- s.web.Serve(listener) }()
	tb.Cleanup(func() { s.close(tb) })
	return s
}

func (s *served) close(tb testing.TB) {
	tb.Helper()
	if s.done == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if s.lane != nil {
		if err := s.lane.Drain(ctx); err != nil {
			tb.Error(err)
		}
	}
	if err := s.web.Shutdown(ctx); err != nil {
		tb.Error(err)
	}
	if err := <-s.done; !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		tb.Error(err)
	}
	s.done = nil
}

func listen(tb testing.TB) net.Listener {
	tb.Helper()
	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return listener
}

func dial(tb testing.TB, addr string) net.Conn {
	tb.Helper()
	conn, err := (&net.Dialer{}).DialContext(tb.Context(), "tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		tb.Fatal(err)
	}
	return conn
}

// onLane says whether a request is answered by the lane: net/http puts itself into the context of its own.
func onLane(r *http.Request) bool { return r.Context().Value(http.ServerContextKey) == nil }

// echo answers in as many ways as handlers do.
func echo(taken *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if onLane(r) {
			taken.Add(1)
		}
		head := w.Header()
		head.Set("Content-Type", "text/plain")
		head["X-Many"] = []string{"one", "two"}
		query := r.URL.Query()
		size, _ := strconv.Atoi(query.Get("size"))
		switch query.Get("do") {
		case "declared":
			head.Set("Content-Length", strconv.Itoa(size))
			fmt.Fprint(w, strings.Repeat("d", size))
		case "pieces":
			for range size {
				fmt.Fprint(w, "p")
			}
		case "status":
			w.WriteHeader(size)
			w.WriteHeader(http.StatusTeapot)
			fmt.Fprint(w, "status")
		case "empty":
		case "lines":
			head.Set("X-Lines", "one\r\nX-Smuggled: two")
		case "close":
			head.Set("Connection", "close")
		case "panic":
			fmt.Fprint(w, "half")
			panic(http.ErrAbortHandler)
		default:
			body, err := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s %s from %t: %s %v %q %s %v\n", r.Method, r.RequestURI, r.Proto, r.RemoteAddr != "", r.Host, r.Header, body, r.URL.Path, err)
		}
	})
}

// answered is what a client sees of an answer; the order of headers is nobody's, and dates differ.
type answered struct {
	Proto, Status string
	Header        http.Header
	Length        int64
	Close         bool
	Body          string
}

// converse sends texts in one connection and reads all answers, until the server hangs up or does not answer any more.
func converse(t *testing.T, addr string, texts []string, methods []string) (answers []answered, hungUp bool) {
	t.Helper()
	conn := dial(t, addr)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for _, text := range texts {
			if _, err := io.WriteString(conn, text); err != nil {
				return // the server hung up before
			}
		}
	}()
	defer func() { <-sent }()
	in := bufio.NewReader(conn)
	for _, method := range methods {
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return answers, true
		}
		body, err := io.ReadAll(resp.Body)
		if closed := resp.Body.Close(); err != nil || closed != nil {
			t.Errorf("a body ends early: %v, %v", err, closed)
		}
		if _, err := http.ParseTime(resp.Header.Get("Date")); err != nil && resp.StatusCode < http.StatusBadRequest {
			t.Error(err)
		}
		resp.Header.Del("Date")
		if len(body) > 2<<10 {
			// net/http sends what is longer in chunks, if its length was not declared.
			resp.Header.Del("Content-Length")
			resp.ContentLength = int64(len(body))
		}
		answers = append(answers, answered{resp.Proto, resp.Status, resp.Header, resp.ContentLength, resp.Close, string(body)})
	}
	<-sent
	// Half closed, the server has nothing left to say.
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return answers, true
	}
	rest, _ := io.ReadAll(in)
	if len(rest) > 0 {
		t.Errorf("one more answer: %.200q", rest)
	}
	return answers, false
}

func get(target string, headers ...string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: example.test\r\n" + strings.Join(append(headers, ""), "\r\n") + "\r\n"
}

// TestSameAnswers holds the same conversations with net/http alone and with a lane before it: nobody can tell which is which.
func TestSameAnswers(t *testing.T) {
	t.Parallel()
	const long = 40 << 10
	for name, c := range map[string]struct {
		send  []string
		lane  int64 // how many the lane answers, be it that net/http read the request and gave it back
		count int   // how many answers there are
	}{
		"one":                        {[]string{get("/short")}, 1, 1},
		"headers":                    {[]string{get("/short?a=b", "Accept: */*", "x-lower: \t v ", "X-Two: 1", "X-Two: 2", "Pragma: no-cache")}, 1, 1},
		"kept alive by name":         {[]string{get("/short", "Connection: Keep-Alive", "Keep-Alive: 5")}, 1, 1},
		"many after each other":      {[]string{get("/short/1"), get("/short/2"), get("/short/3")}, 3, 3},
		"the same again":             {[]string{get("/short", "X-Id: 1"), get("/short", "X-Id: 1") + get("/short", "X-Id: 2"), get("/short", "X-Id: 1")}, 4, 4},
		"the same after another":     {[]string{get("/short"), get("/other"), get("/short"), get("/short"), get("/short", "Content-Length: 2") + "hi", get("/short")}, 4, 6},
		"many at once":               {[]string{get("/short/1") + get("/short/2") + get("/short/3")}, 3, 3},
		"a byte at a time":           {strings.Split(get("/short/slowly"), ""), 1, 1},
		"a head of 5 KB":             {[]string{get("/short", "X-Long: "+strings.Repeat("x", 5<<10))}, 1, 1},
		"a head of 40 KB":            {[]string{get("/short", "X-Long: "+strings.Repeat("x", long)) + get("/short")}, 2, 2},
		"a head of 100 KB":           {[]string{get("/short", "X-Long: "+strings.Repeat("x", 100<<10))}, 0, 1},
		"other paths":                {[]string{get("/other")}, 0, 1},
		"to and fro":                 {[]string{get("/short"), get("/other"), get("/short"), get("/other"), get("/short")}, 3, 5},
		"to and fro at once":         {[]string{get("/short") + get("/other") + get("/short") + get("/other") + get("/short")}, 3, 5},
		"a declared body":            {[]string{get("/short?do=declared&size=70000") + get("/short?do=declared&size=1")}, 2, 2},
		"a body in pieces":           {[]string{get("/short?do=pieces&size=1000")}, 1, 1},
		"no body":                    {[]string{get("/short?do=empty")}, 1, 1},
		"not modified":               {[]string{get("/short?do=status&size=304")}, 1, 1},
		"no content":                 {[]string{get("/short?do=status&size=204")}, 1, 1},
		"an error":                   {[]string{get("/short?do=status&size=503")}, 1, 1},
		"a status without a name":    {[]string{get("/short?do=status&size=499")}, 1, 1},
		"a value of two lines":       {[]string{get("/short?do=lines")}, 1, 1},
		"closed by the handler":      {[]string{get("/short?do=close") + get("/short")}, 1, 1},
		"a panic":                    {[]string{get("/short?do=panic") + get("/short")}, 1, 0},
		"POST, then GET":             {[]string{"POST /short HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" + get("/short")}, 1, 2},
		"GET with a body":            {[]string{get("/short", "Content-Length: 5") + "hello" + get("/short")}, 1, 2},
		"GET with an empty body":     {[]string{get("/short", "Content-Length: 0")}, 0, 1},
		"GET in chunks":              {[]string{get("/short", "Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n" + get("/short")}, 1, 2},
		"both lengths":               {[]string{get("/short", "Transfer-Encoding: chunked", "Content-Length: 3") + "0\r\n\r\n" + get("/short")}, 1, 2},
		"a request in a body":        {[]string{get("/short", "content-length: "+strconv.Itoa(len(get("/short/smuggled")))) + get("/short/smuggled")}, 0, 1},
		"two lengths":                {[]string{get("/short", "Content-Length: 0", "Content-Length: 5") + "hello"}, 0, 1},
		"HEAD":                       {[]string{"HEAD /short HTTP/1.1\r\nHost: h\r\n\r\n"}, 0, 1},
		"HTTP/1.0":                   {[]string{"GET /short HTTP/1.0\r\nHost: h\r\n\r\n"}, 0, 1},
		"HTTP/1.2":                   {[]string{"GET /short HTTP/1.2\r\nHost: h\r\n\r\n"}, 0, 1},
		"HTTP/0.9":                   {[]string{"GET /short\r\n\r\n"}, 0, 1},
		"told to close":              {[]string{get("/short", "Connection: close") + get("/short")}, 0, 1},
		"told to close by list":      {[]string{get("/short", "Connection: keep-alive, close") + get("/short")}, 0, 1},
		"an upgrade":                 {[]string{get("/short", "Connection: upgrade", "Upgrade: h2c")}, 0, 1},
		"an upgrade, unconnected":    {[]string{get("/short", "Upgrade: h2c")}, 0, 1},
		"an expectation":             {[]string{get("/short", "Expect: 100-continue")}, 0, 1},
		"an unknown expectation":     {[]string{get("/short", "Expect: miracles")}, 0, 1},
		"a trailer":                  {[]string{get("/short", "Trailer: X-Later")}, 0, 1},
		"no host":                    {[]string{"GET /short HTTP/1.1\r\n\r\n"}, 0, 1},
		"two hosts":                  {[]string{get("/short", "Host: other")}, 0, 1},
		"an odd host":                {[]string{"GET /short HTTP/1.1\r\nHost: a b\r\n\r\n"}, 0, 1},
		"an empty host":              {[]string{"GET /short HTTP/1.1\r\nHost: \r\n\r\n"}, 1, 1},
		"a folded line":              {[]string{get("/short", "X-Folded: a", " b")}, 1, 1},
		"a name with a space":        {[]string{get("/short", "X-Bad : a")}, 0, 1},
		"a name with a sign":         {[]string{get("/short", "X!Odd: a")}, 0, 1},
		"a line without a name":      {[]string{get("/short", ": a")}, 0, 1},
		"a line without a colon":     {[]string{get("/short", "X-Bad")}, 0, 1},
		"a control character":        {[]string{get("/short", "X-Bad: a\x01b")}, 0, 1},
		"a bare line feed":           {[]string{get("/short", "X-Bad: a\nX-Other: b")}, 1, 1},
		"line feeds alone":           {[]string{"GET /short HTTP/1.1\nHost: h\n\n"}, 1, 1},
		"a bare carriage return":     {[]string{get("/short", "X-Bad: a\rb")}, 0, 1},
		"UTF-8 in a value":           {[]string{get("/short", "X-Name: Müller")}, 0, 1},
		"UTF-8 in the path":          {[]string{get("/short/Müller")}, 0, 1},
		"a whole URL":                {[]string{get("http://example.test/short")}, 0, 1},
		"a broken escape":            {[]string{get("/short/%zz")}, 0, 1},
		"a space in the path":        {[]string{get("/short/a b")}, 0, 1},
		"an empty line before":       {[]string{"\r\n" + get("/short")}, 0, 1},
		"not HTTP":                   {[]string{"SSH-2.0-client\r\n\r\n"}, 0, 1},
		"the preface of HTTP/2":      {[]string{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}, 0, 1},
		"a fragment in the path":     {[]string{get("/short#here")}, 1, 1},
		"many headers of one letter": {[]string{get("/short", slices.Repeat([]string{"A: b"}, 300)...)}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var none, taken atomic.Int64
			methods := make([]string, c.count)
			for i := range methods {
				methods[i], _, _ = strings.Cut(c.send[min(i, len(c.send)-1)], " ")
			}
			alone, among := plainly(t, echo(&none)), laned(t, echo(&taken))
			want, wantEnd := converse(t, alone.addr, c.send, methods)
			got, end := converse(t, among.addr, c.send, methods)
			if diff := cmp.Diff(want, got); diff != "" || end != wantEnd {
				t.Errorf("hung up %t, by net/http alone %t; -net/http +lane:\n%s", end, wantEnd, diff)
			}
			if len(want) != c.count || taken.Load() != c.lane || none.Load() != 0 {
				t.Errorf("%d answers, want %d; %d by the lane, want %d; %d by a lane that is not", len(want), c.count, taken.Load(), c.lane, none.Load())
			}
		})
	}
}

// TestHalfClosed ends the client's direction while its requests wait: their contexts end, and the answers still come.
func TestHalfClosed(t *testing.T) {
	t.Parallel()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, "you are gone")
	})
	for name, serve := range map[string]func(testing.TB, http.Handler) *served{"net/http": plainly, "lane": laned} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, serve(t, handler).addr)
			if _, err := io.WriteString(conn, get("/short/1")+get("/short/2")); err != nil {
				t.Fatal(err)
			}
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			answers, err := io.ReadAll(conn)
			if err != nil || strings.Count(string(answers), "HTTP/1.1 503 ") != 2 || strings.Count(string(answers), "\r\n\r\nyou are gone") != 2 {
				t.Errorf("the answers are %q, %v", answers, err)
			}
		})
	}
}
