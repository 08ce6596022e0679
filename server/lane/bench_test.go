package lane_test

import (
	"bufio"
	"net/http"
	"strconv"
	"testing"
)

// BenchmarkShortAnswer compares 70 KB behind net/http alone and behind a lane, client included.
func BenchmarkShortAnswer(b *testing.B) {
	body := make([]byte, 70_000)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = []string{"application/json"}
		w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
		_, _ = w.Write(body) // the client tells
	})
	for name, serve := range map[string]func(testing.TB, http.Handler) *served{"net/http": plainly, "lane": laned} {
		b.Run(name, func(b *testing.B) {
			s := serve(b, handler)
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			once := oneAfterAnother(b, s.addr, len(body))
			for b.Loop() {
				once()
			}
		})
	}
}

// oneAfterAnother returns a function that sends a request and reads its answer, in one connection and without allocations.
func oneAfterAnother(tb testing.TB, addr string, length int) func() {
	tb.Helper()
	conn := dial(tb, addr)
	in, request := bufio.NewReader(conn), []byte(get("/short"))
	return func() {
		if _, err := conn.Write(request); err != nil {
			tb.Fatal(err)
		}
		for {
			line, err := in.ReadSlice('\n')
			if err != nil {
				tb.Fatal(err)
			}
			if len(line) == len("\r\n") {
				break
			}
		}
		if n, err := in.Discard(length); err != nil {
			tb.Fatalf("%d bytes, %v", n, err)
		}
	}
}
