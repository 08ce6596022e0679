package cli_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log" //nolint:depguard // the test looks at what is written to it
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/parley-gateway/parley/internal/cli"
)

// TestAnswerLongerThanAnnounced reads from a Graph that sends more than its Content-Length. net/http writes the rest to Go's
// standard logger; the process must print nothing of it.
func TestAnswerLongerThanAnnounced(t *testing.T) {
	const secret = "the merger is on Friday"
	graph := overSending(t, secret)
	standard := &waiter{said: make(chan struct{}), until: "Unsolicited response"}
	before := log.Writer()
	log.SetOutput(standard)
	t.Cleanup(func() { log.SetOutput(before) })

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan int, 1)
	printed := &waiter{said: make(chan struct{}), until: "is ready"}
	logged := &waiter{said: make(chan struct{}), until: "sent more than its answer announced"}
	go func() {
		ended <- cli.Run(ctx, []string{
			"serve", "--graph-credential=none", "--graph-url=http://" + graph,
			"--grpc-addr=127.0.0.1:0", "--http-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0", "--audit-file=" + os.DevNull,
		}, printed, logged)
	}()
	select {
	case <-printed.said:
	case code := <-ended:
		t.Fatalf("ended with %d: %s", code, logged.text())
	}
	transport := &http.Transport{DisableKeepAlives: true}
	address := regexp.MustCompile(`REST (http://[^,]+)`).FindStringSubmatch(printed.text())[1]
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/v1/users", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("HTTP %d, %v", answer.StatusCode, err)
	}
	select {
	case <-logged.said:
	case <-standard.said:
	}
	cancel()
	if code := <-ended; code != cli.OK {
		t.Errorf("ended with %d", code)
	}
	if everything := standard.text() + logged.text() + printed.text(); strings.Contains(everything, secret) {
		t.Errorf("content was printed: %s", everything)
	}
}

// overSending is a Graph without users that sends some text behind each answer. It returns its address.
func overSending(t *testing.T, text string) string {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				err = answerAll(conn, text)
			}
			if err != nil {
				t.Error(err)
			}
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close() // nobody listens any more
		<-done
	})
	return listener.Addr().String()
}

// answerAll answers the requests of one connection until its client closes it.
func answerAll(conn net.Conn, text string) (err error) {
	defer func() { err = errors.Join(err, conn.Close()) }()
	const body = `{"value":[]}`
	reader := bufio.NewReader(conn)
	for {
		request, err := http.ReadRequest(reader)
		if err != nil {
			return nil // the client has gone
		}
		_ = request.Body.Close() // a GET has none
		_, err = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s%s", len(body), body, text)
		if err != nil {
			return err
		}
	}
}
