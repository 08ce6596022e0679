package lane

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
)

// FuzzPlainGet takes no head that net/http reads as anything but one GET without a body on a connection that goes on.
func FuzzPlainGet(f *testing.F) {
	for _, head := range []string{
		"GET /v1/users?pageSize=1 HTTP/1.1\r\nHost: h:80\r\nAccept: */*\r\n\r\n",
		"GET / HTTP/1.1\r\nhost: [::1]:80\r\nConnection: keep-alive\r\nX-Empty:\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n",
		"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET  HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET / HTTP/1.1 HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET /v1/users HTTP/1.1\r\n\r\n",
	} {
		f.Add([]byte(head))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		end := bytes.Index(head, headEnd)
		if end < 0 {
			return
		}
		head = head[:end+len(headEnd)]
		target, ok := plainGet(head)
		if !ok {
			return
		}
		if !mayBePlain(head) {
			t.Error("its beginning was refused")
		}
		text := bytes.NewReader(head)
		in := bufio.NewReader(text)
		r, err := http.ReadRequest(in)
		if err != nil {
			return // handed over
		}
		connection := strings.ToLower(strings.Join(r.Header["Connection"], "+"))
		switch {
		case r.Method != http.MethodGet, r.RequestURI != target, r.ProtoMajor != 1, r.ProtoMinor != 1, r.Host == "", r.URL.Host != "":
			t.Errorf("%s %s (%s) %s of %q at %q", r.Method, r.RequestURI, target, r.Proto, r.Host, r.URL.Host)
		case r.Body != http.NoBody, r.ContentLength != 0, len(r.TransferEncoding) > 0, len(r.Trailer) > 0, r.Close:
			t.Errorf("a body of %d, %v, %v, close %t", r.ContentLength, r.TransferEncoding, r.Trailer, r.Close)
		case strings.Trim(strings.ReplaceAll(connection, "keep-alive", ""), "+") != "", r.Header["Upgrade"] != nil, r.Header["Expect"] != nil:
			t.Errorf("headers %v", r.Header)
		case in.Buffered() > 0 || text.Len() > 0:
			t.Errorf("%d bytes are left", in.Buffered()+text.Len())
		}
	})
}
