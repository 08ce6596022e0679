package cli_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// alive fails the test if the process has ended.
func (p *process) alive(t *testing.T) {
	t.Helper()
	running, err := os.FindProcess(p.pid)
	if err == nil {
		err = running.Signal(syscall.Signal(0))
	}
	if err != nil {
		t.Fatalf("the gateway is gone: %v: %s", err, p.log)
	}
}

// resident is the process's memory in MiB as the kernel counts it: now, and at most since the last reset.
func (p *process) resident(t *testing.T) (now, peak int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) int {
		_, after, _ := strings.Cut(string(status), "\n"+name+":")
		fields := strings.Fields(after)
		if len(fields) == 0 {
			t.Fatalf("no %s in %s", name, status)
		}
		kib, err := strconv.Atoi(fields[0])
		if err != nil {
			t.Fatal(err)
		}
		return kib >> 10
	}
	return read("VmRSS"), read("VmHWM")
}

// resetPeak makes the kernel forget the peak, see proc(5), clear_refs.
func (p *process) resetPeak(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.pid), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

// get answers the status and the body of a request.
func (p *process) get(t *testing.T, path string) (int, string) {
	t.Helper()
	resp, err := p.client.Get("http://" + p.http + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return resp.StatusCode, string(body)
}

// deaf opens streams whose reader never reads. release closes their sockets.
func (p *process) deaf(t *testing.T, paths ...string) (release func()) {
	t.Helper()
	conns := make([]net.Conn, 0, len(paths))
	for _, path := range paths {
		conn, err := net.Dial("tcp", p.http)
		if err != nil {
			t.Fatal(err)
		}
		tcp, _ := conn.(*net.TCPConn)
		if err := tcp.SetReadBuffer(4 << 10); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, p.http); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	return sync.OnceFunc(func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	})
}

// mailbox is a Graph whose users all have so many chat messages a day, evenly spread over the day, of so many bytes.
type mailbox struct {
	perDay, bytes int
	delay         time.Duration
	holds         time.Time // requests for what is from then on are not answered; zero = all are
	*httptest.Server

	asked, under atomic.Int64 // requests in all, and those that are being answered
}

func newMailbox(t *testing.T, perDay, bytes int) *mailbox {
	t.Helper()
	g := &mailbox{perDay: perDay, bytes: bytes}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

var mailboxBounds = regexp.MustCompile(`lastModifiedDateTime (gt|ge|lt|le) ([^ ]+)`)

// ServeHTTP answers getAllMessages.
func (g *mailbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.asked.Add(1)
	g.under.Add(1)
	defer g.under.Add(-1)
	if !strings.HasSuffix(r.URL.Path, "/chats/getAllMessages") {
		http.NotFound(w, r)
		return
	}
	if g.delay > 0 {
		select {
		case <-time.After(g.delay):
		case <-r.Context().Done():
			return
		}
	}
	var from, to time.Time
	for _, bound := range mailboxBounds.FindAllStringSubmatch(r.URL.Query().Get("$filter"), -1) {
		at, err := time.Parse(time.RFC3339Nano, bound[2])
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if bound[1][0] == 'g' {
			from = at
		} else {
			to = at
		}
	}
	if !g.holds.IsZero() && !from.Before(g.holds) {
		<-r.Context().Done()
		return
	}
	// Messages lie on a grid of the whole of time, but none is older than 28 days.
	step := 24 * time.Hour / time.Duration(g.perDay)
	if oldest := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -28); from.Before(oldest) {
		from = oldest
	}
	if now := time.Now(); to.After(now) {
		to = now
	}
	first := from.Add(step - 1).Truncate(step)
	skip, _ := strconv.Atoi(r.URL.Query().Get("$skiptoken"))
	const page = 50
	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriter(w)
	defer func() { _ = out.Flush() }() // the gateway is gone if this fails
	fmt.Fprint(out, `{"value":[`)
	text := strings.Repeat("words and ", g.bytes/10)
	user := strings.Split(r.URL.Path, "/")[3]
	n := 0
	for at := first.Add(time.Duration(skip) * step); n < page && at.Before(to); at = at.Add(step) {
		if n > 0 {
			fmt.Fprint(out, ",")
		}
		stamp := at.Format("2006-01-02T15:04:05.000Z")
		fmt.Fprintf(out, `{"id":"%d","etag":"%d","messageType":"message","createdDateTime":%q,"lastModifiedDateTime":%q,"chatId":"19:%s@thread.v2",`+
			`"importance":"normal","locale":"en-us","from":{"user":{"id":%q,"displayName":"Ada","userIdentityType":"aadUser"}},`+
			`"body":{"contentType":"text","content":%q},"attachments":[],"mentions":[],"reactions":[]}`,
			at.UnixMilli(), at.UnixMilli(), stamp, stamp, user, user, text)
		n++
	}
	fmt.Fprint(out, `]`)
	if !first.Add(time.Duration(skip+n) * step).Before(to) {
		fmt.Fprint(out, `}`)
		return
	}
	next := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path}
	query := r.URL.Query()
	query.Set("$skiptoken", strconv.Itoa(skip+n))
	next.RawQuery = query.Encode()
	link, err := json.Marshal(next.String())
	if err == nil {
		fmt.Fprintf(out, `,"@odata.nextLink":%s}`, link)
	}
}

// quiet waits until Graph has not been asked for a while: what streams read ahead is read.
func (g *mailbox) quiet(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for last, still := int64(-1), 0; still < 10; {
		now := g.asked.Load()
		if still++; now != last || g.under.Load() > 0 {
			last, still = now, 0
		}
		if time.Now().After(deadline) {
			t.Fatal("streams that nobody reads keep on reading")
		}
		select {
		case <-t.Context().Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// streamPath is that of a stream of a user's chat messages of so many days.
func streamPath(user int, days int) string {
	start := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -days)
	return fmt.Sprintf("/v1/users/%08d-0000-4000-8000-000000000000/events:stream?sources=SOURCE_CHAT&startTime=%s", user, start.Format(time.RFC3339))
}
