package graphclient_test

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/parley-gateway/parley/graphclient"
)

// frames serves HTTP/2 by hand: each connection gets its number and its
// first request's stream.
func frames(t *testing.T, certificate tls.Certificate, serve func(number int, framer *http2.Framer, stream uint32)) string {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for number := 1; ; number++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				serveFrames(conn, number, serve)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		wg.Wait()
	})
	return listener.Addr().String()
}

func serveFrames(conn net.Conn, number int, serve func(int, *http2.Framer, uint32)) {
	if _, err := conn.Read(make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	framer := http2.NewFramer(conn, conn)
	if framer.WriteSettings() != nil {
		return
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() && framer.WriteSettingsAck() != nil {
				return
			}
		case *http2.HeadersFrame:
			serve(number, framer, f.StreamID)
		}
	}
}

func header(fields ...string) []byte {
	var b bytes.Buffer
	encoder := hpack.NewEncoder(&b)
	for i := 0; i+1 < len(fields); i += 2 {
		_ = encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return b.Bytes()
}

func page2(framer *http2.Framer, stream uint32, body string, end bool) {
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: header(":status", "200"), EndHeaders: true})
	_ = framer.WriteData(stream, end, []byte(body))
}

func TestFaultsOfHTTP2AreRepeated(t *testing.T) {
	t.Parallel()
	certified := tlsServer(t, http.NotFoundHandler())
	for name, fail := range map[string]func(*http2.Framer, uint32){
		"GOAWAY before the answer": func(f *http2.Framer, _ uint32) { _ = f.WriteGoAway(0, http2.ErrCodeNo, nil) },
		"GOAWAY, stream processed": func(f *http2.Framer, stream uint32) {
			_ = f.WriteGoAway(stream, http2.ErrCodeNo, nil)
			_ = f.WriteRSTStream(stream, http2.ErrCodeInternal)
		},
		"stream error": func(f *http2.Framer, stream uint32) { _ = f.WriteRSTStream(stream, http2.ErrCodeInternal) },
		"stream error in the body": func(f *http2.Framer, stream uint32) {
			page2(f, stream, `{"value":[{"id":`, false)
			_ = f.WriteRSTStream(stream, http2.ErrCodeInternal)
		},
		"body ends early": func(f *http2.Framer, stream uint32) { page2(f, stream, `{"value":[{"id":`, true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var failed atomic.Bool
			address := frames(t, certified.TLS.Certificates[0], func(_ int, f *http2.Framer, stream uint32) {
				if failed.CompareAndSwap(false, true) {
					fail(f, stream)
					return
				}
				page2(f, stream, `{"value":[{"id":"1"}]}`, true)
			})
			client := serverClient(t, certified, func(cfg *graphclient.Config) { cfg.BaseURL = "https://" + address }, func(cfg *graphclient.Config) {
				cfg.Retry = graphclient.RetryConfig{Tries: 3, Base: 1, Max: 1}
			})
			page, err := client.Page(t.Context(), chats())
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Records) != 1 || string(page.Records[0]) != `{"id":"1"}` {
				t.Errorf("records %q", page.Records)
			}
		})
	}
}

func TestAConnectionCutInTheBodyIsRepeated(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	server := tlsServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1) == 1 {
			_, _ = w.Write([]byte(`{"value":[{"id":"1"}`))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write([]byte(`{"value":[{"id":"2"}]}`))
	}))
	client := serverClient(t, server, quick)
	page, err := client.Page(t.Context(), chats())
	if err != nil || page.Requests != 2 || len(page.Records) != 1 || string(page.Records[0]) != `{"id":"2"}` {
		t.Errorf("page %+v, error %v", page, err)
	}
}
