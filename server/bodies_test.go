package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// held is a POST of a stream over users whose body has not come whole.
type held struct {
	net.Conn

	read *bufio.Reader
}

// http1 is a connection of HTTP/1.1 to REST.
func (s *siege) http1(t *testing.T) net.Conn {
	t.Helper()
	if s.trust == nil {
		return s.raw(t, s.server.HTTPAddr(), "")
	}
	return s.raw(t, s.server.HTTPAddr(), "http/1.1")
}

// hold sends the head of a POST with a body of so many bytes. The gateway asks for the body by 100 when it begins to read it.
func (s *siege) hold(t *testing.T, size int, headers string) held {
	t.Helper()
	conn := s.http1(t)
	if err := conn.SetDeadline(time.Now().Add(bearable)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%sContent-Length: %d\r\n\r\n", tenantStream, headers, size); err != nil {
		t.Fatal(err)
	}
	return held{conn, bufio.NewReader(conn)}
}

// answer returns the next status of the answer, 100 included, and its body.
func (h held) answer(t *testing.T) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(h.read, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusContinue {
		return resp, ""
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp, string(text)
}

const longest = 512 << 10 // of a body

// TestBodiesOfStrangersAreNotRead: who has no credential that is accepted is refused before the body of a request comes.
func TestBodiesOfStrangersAreNotRead(t *testing.T) {
	t.Parallel()
	eachWay(t, time.Minute, func(t *testing.T, s *siege) {
		t.Helper()
		_ = s.untouched() // besiege has asked
		for name, headers := range map[string]string{
			"nothing":        "",
			"a bad token":    "Authorization: Bearer nobody\r\n",
			"two tokens":     "Authorization: Bearer export\r\nAuthorization: Bearer export\r\n",
			"an odd type":    "Content-Type: text/plain\r\n",
			"to be asked to": "Expect: 100-continue\r\n",
		} {
			resp, text := s.hold(t, longest, headers).answer(t)
			if e := parseError(t, text); resp.StatusCode != http.StatusUnauthorized || e.reason() != "CALLER_UNAUTHENTICATED" {
				t.Errorf("%s: %d %s", name, resp.StatusCode, text)
			}
		}
		if !s.untouched() {
			t.Error("something was read for strangers")
		}
	})
}

// TestBodiesUnderWayAreBounded: a caller who keeps the ends of eight long bodies back begins no ninth, and others are served. When they have
// come, the caller is served again.
func TestBodiesUnderWayAreBounded(t *testing.T) {
	t.Parallel()
	s := &siege{guarded: startGuarded(t, nil)}
	const export = "Authorization: Bearer export\r\nExpect: 100-continue\r\n"
	bodies := make([]held, 0, 8)
	for range cap(bodies) {
		body := s.hold(t, longest, export)
		if resp, text := body.answer(t); resp.StatusCode != http.StatusContinue {
			t.Fatalf("%d %s", resp.StatusCode, text)
		}
		bodies = append(bodies, body)
	}
	resp, text := s.hold(t, longest, export).answer(t)
	if e := parseError(t, text); resp.StatusCode != http.StatusServiceUnavailable || e.reason() != "OVERLOADED" || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("the ninth: %d %v %s", resp.StatusCode, resp.Header, text)
	}
	other := s.hold(t, longest, "Authorization: Bearer officer\r\nExpect: 100-continue\r\n")
	if resp, text := other.answer(t); resp.StatusCode != http.StatusContinue {
		t.Errorf("another caller: %d %s", resp.StatusCode, text)
	}
	for _, body := range append(bodies, other) {
		if _, err := io.WriteString(body, "{}"+strings.Repeat(" ", longest-2)); err != nil {
			t.Fatal(err)
		}
		if resp, text := body.answer(t); resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusUnauthorized {
			t.Errorf("a whole body: %d %s", resp.StatusCode, text)
		}
	}
	if resp, text := s.hold(t, longest, export).answer(t); resp.StatusCode != http.StatusContinue {
		t.Errorf("after that: %d %s", resp.StatusCode, text)
	}
}

// TestStrangersDisplaceNoBodyOfACaller: the connection of a caller whose body comes is not closed to make room for strangers.
func TestStrangersDisplaceNoBodyOfACaller(t *testing.T) {
	t.Parallel()
	eachWay(t, time.Minute, func(t *testing.T, s *siege) {
		t.Helper()
		body := s.hold(t, longest, "Authorization: Bearer export\r\nExpect: 100-continue\r\n")
		if resp, text := body.answer(t); resp.StatusCode != http.StatusContinue {
			t.Fatalf("%d %s", resp.StatusCode, text)
		}
		flood := make([]net.Conn, 0, 40)
		for range cap(flood) {
			flood = append(flood, s.http1(t))
		}
		defer cutOff(t, "strangers", 32, flood...)()
		if _, err := io.WriteString(body, "{}"+strings.Repeat(" ", longest-2)); err != nil {
			t.Fatal(err)
		}
		if resp, text := body.answer(t); resp.StatusCode != http.StatusOK {
			t.Errorf("%d %s", resp.StatusCode, text)
		}
	})
}
