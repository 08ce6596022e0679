package rest

import (
	"math"
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/metadata"
)

func TestAcceptsGzip(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "x-gzip": true, "deflate, gzip": true, "gzip;q=0": false, "gzip;q=0.001": true, "gzip; q=1.0": true,
		"*": true, "*;q=0": false, "*, gzip;q=0": false, "br": false, "identity": false, "gzip;q=0.5, identity": false, "identity;q=0.5, gzip": true,
		"identity;q=0, *": true, "gzip;q=x": false, "gzip;q=2": false, "gzip;q=NaN": false, "gzip;q=-1": false, ";,;": false, "gzip;level=1;q=0": false,
	} {
		if got := acceptsGzip([]string{accept}); got != want {
			t.Errorf("%q: %t", accept, got)
		}
	}
	if acceptsGzip(nil) || !acceptsGzip([]string{"br", "gzip"}) {
		t.Error("several headers, or none")
	}
}

func TestParseTimeout(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"1H": time.Hour, "3M": 3 * time.Minute, "20S": 20 * time.Second, "5m": 5 * time.Millisecond, "7u": 7 * time.Microsecond, "9n": 9,
		"00000001S": time.Second, "99999999H": math.MaxInt64, "0S": 0,
	} {
		if got, ok := parseTimeout(text); !ok || got != want {
			t.Errorf("%q: %v, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "S", "1", "1s", "-1S", "1.5S", "123456789S", " 1S", "1S ", "١S", "+1S"} {
		if got, ok := parseTimeout(text); ok {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

// TestOnlyKnownHeadersReachTheServices: what reaches the services is a closed list, and arrives as it was sent.
func TestOnlyKnownHeadersReachTheServices(t *testing.T) {
	t.Parallel()
	got := knownHeaders(http.Header{
		"Authorization": {"Bearer a", "Bearer b"}, "Parley-Reason": {"caf\u00e9"}, "Cookie": {"x"}, "X-Forwarded-For": {"1.2.3.4"},
		"Grpc-Metadata-Authorization": {"Bearer c"}, "X-Request-Id": {""}, "Parley-Tenant-Bin": {"eA=="}, "Grpcgateway-Authorization": {"x"},
	})
	want := metadata.MD{"authorization": {"Bearer a", "Bearer b"}, "parley-reason": {"caf\u00e9"}, "x-request-id": {""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if knownHeaders(http.Header{"Accept": {"x"}}) != nil {
		t.Error("something arrived")
	}
}

// FuzzTimeout: a timeout is read as gRPC's own servers read it, and never as a negative one.
func FuzzTimeout(f *testing.F) {
	for _, seed := range []string{"1H", "20S", "99999999H", "0n", "", "S", "123456789S", "1.5S", "\u0661S", "-1m", "+1u", " 1S"} {
		f.Add(seed)
	}
	form := regexp.MustCompile(`^\d{1,8}[HMSmun]$`)
	f.Fuzz(func(t *testing.T, text string) {
		timeout, ok := parseTimeout(text)
		if ok != form.MatchString(text) || timeout < 0 {
			t.Fatalf("%q: %v, %t", text, timeout, ok)
		}
		if !ok {
			return
		}
		number, err := strconv.ParseInt(text[:len(text)-1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if unit := timeoutUnits[text[len(text)-1]]; timeout != math.MaxInt64 && timeout != time.Duration(number)*unit {
			t.Fatalf("%q is %v", text, timeout)
		}
	})
}
