package lane

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// answer is the http.ResponseWriter of the lane. It holds a body until its end is known, and sends head and body in one write.
// It does not flush.
type answer struct {
	conn   net.Conn
	ends   *atomic.Bool // the lane drains: this is the last answer
	header http.Header
	status int // 0 = not set yet
	body   []byte
	head   []byte
	names  []string // of the headers, in order
	date   []byte   // of second, in Unix time
	second int64
	sent   bool
	last   bool // the connection ends with it
	err    error
	parts  [2][]byte
	both   net.Buffers
}

var _ http.ResponseWriter = (*answer)(nil)

// begin makes it ready for the next request. Handlers do not use it after they return.
func (a *answer) begin() {
	const most = 64 << 10
	clear(a.header)
	a.status, a.sent, a.last, a.err = 0, false, false, nil
	if a.body = a.body[:0]; cap(a.body) > most {
		a.body = nil
	}
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter. Informational answers are not sent.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
}

// Write implements http.ResponseWriter. A body that comes whole, with its length declared, is sent as it is; others are kept.
func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	switch {
	case a.err != nil:
		return 0, a.err
	case a.sent:
		a.err = http.ErrContentLength
		return 0, a.err
	case !hasBody(a.status):
		return 0, http.ErrBodyNotAllowed
	case len(a.body) == 0 && a.declares(len(b)):
		if a.send(b); a.err != nil {
			return 0, a.err
		}
	default:
		a.body = append(a.body, b...)
	}
	return len(b), nil
}

// SetWriteDeadline is what http.ResponseController calls.
func (a *answer) SetWriteDeadline(t time.Time) error { return a.conn.SetWriteDeadline(t) }

// declares says whether the handler declared this length.
func (a *answer) declares(length int) bool {
	values := a.header["Content-Length"]
	return len(values) == 1 && values[0] == strconv.Itoa(length)
}

// finish sends what the handler left.
func (a *answer) finish() error {
	if !a.sent && a.err == nil {
		a.WriteHeader(http.StatusOK)
		a.send(a.body)
	}
	return a.err
}

func (a *answer) send(body []byte) {
	a.sent, a.last = true, a.ends.Load()
	a.writeHead(len(body))
	if len(body) == 0 {
		_, a.err = a.conn.Write(a.head)
		return
	}
	a.parts = [2][]byte{a.head, body}
	a.both = a.parts[:]
	_, a.err = a.both.WriteTo(a.conn)
	a.parts = [2][]byte{}
}

// hasBody says whether an answer of this status may have a body (RFC 9110, 6.4.1).
func hasBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// writeHead makes the head of the answer, with the length that its body has. The last one of a connection says so.
func (a *answer) writeHead(length int) {
	head := a.head[:0]
	head = append(head, "HTTP/1.1 "...)
	head = strconv.AppendInt(head, int64(a.status), 10)
	head = append(head, ' ')
	if text := http.StatusText(a.status); text != "" {
		head = append(head, text...)
	} else {
		head = strconv.AppendInt(append(head, "status code "...), int64(a.status), 10) // as net/http calls it
	}
	head = append(append(append(head, "\r\nDate: "...), a.now()...), "\r\n"...)
	a.names = a.names[:0]
	for name := range a.header {
		a.names = append(a.names, name)
	}
	slices.Sort(a.names)
	for _, name := range a.names {
		values := a.header[name]
		switch name {
		case "Content-Length", "Transfer-Encoding", "Date":
			continue
		case "Content-Type":
			if a.status == http.StatusNotModified {
				continue // it is that of what the client has
			}
		case "Connection":
			a.last = a.last || len(values) > 0 && strings.EqualFold(values[0], "close")
			continue
		default:
		}
		for _, value := range values {
			head = append(append(head, name...), ": "...)
			from := len(head)
			head = append(append(head, value...), "\r\n"...)
			oneLine(head[from : len(head)-len("\r\n")])
		}
	}
	if hasBody(a.status) {
		head = strconv.AppendInt(append(head, "Content-Length: "...), int64(length), 10)
		head = append(head, "\r\n"...)
	}
	if a.last {
		head = append(head, "Connection: close\r\n"...)
	}
	head = append(head, "\r\n"...)
	a.head = head
}

// now is the value of Date, which changes once a second.
func (a *answer) now() []byte {
	if now := time.Now(); now.Unix() != a.second {
		a.second, a.date = now.Unix(), now.UTC().AppendFormat(a.date[:0], http.TimeFormat)
	}
	return a.date
}

// oneLine keeps a value from being more than one header.
func oneLine(value []byte) {
	for i, c := range value {
		if c == '\r' || c == '\n' {
			value[i] = ' '
		}
	}
}
