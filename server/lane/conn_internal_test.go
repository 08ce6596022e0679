package lane

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestMemoryOfIdle keeps little of a large head when its request is answered: connections may be idle for long.
func TestMemoryOfIdle(t *testing.T) {
	t.Parallel()
	l := &Lane{
		cfg: Config{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), Takes: func(string) bool { return true }},
		ctx: t.Context(),
	}
	client, server := net.Pipe()
	defer client.Close()
	c, ended := newConn(l, server), make(chan bool, 1)
	go func() { ended <- c.serve(nil) }()
	in := bufio.NewReader(client)
	for _, head := range []string{
		"GET /small HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /fields HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("A:\r\n", 1<<10) + "\r\n",
		"GET /large HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("A:\r\n", 7<<10) + "\r\n",
	} {
		if _, err := io.WriteString(client, head); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	client.Close()
	if !<-ended {
		t.Error("the connection is net/http's")
	}
	if cap(c.read) > roomAtFirst || cap(c.head) > roomAtFirst || c.text.Size() > 0 || c.request.URL.Path != "/small" {
		t.Errorf("room for %d bytes, a head of %d, a text of %d, the request of %s", cap(c.read), cap(c.head), c.text.Size(), c.request.URL.Path)
	}
}
