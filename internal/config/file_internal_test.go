package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/parley-gateway/parley/internal/fielderror"
)

// FuzzFile: a file is read or answered, whatever is in it. No panic, each error in one line that begins with the place,
// and a file that is read is read the same from what is shown of it.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		"grpc_addr: 127.0.0.1:1\n", "a: [1]\n", "&a [*a]", "tenants:\n  a: {graph_url: x}\n  b: {}\n", "tenants: &t {a: *t}", "settle_chat: 0\n",
		"settle_chat: 9223372036s\ncaller_rate: 1e3\n", "log_level: info\rcaller_rate: x\r", "log_level: \"a\u2028b\"\u2028caller_rate: x", "? [log_level]\n: x",
		"tls_terminated: !!str true\n", "caller_rate: 0x1F\n", "--- {}\n--- {}\n", "tenants: {a: {graph_model: !!binary aGk=}}", "'': ''\n", "\ufeffhttp_addr: |+\n\n  a\n\n",
		"cache_max_age: !!null x\n", "caller_burst: 99999999999999999999\n", "oidc_issuer: \"\\0\"\n", "tenants: {? {} : {}}", "cache_max_age: ''\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		read, err := parseFile("parley.yaml", data, nil)
		for _, each := range fielderror.Flat(err) {
			if !strings.HasPrefix(each.Error(), "parley.yaml:") || strings.Contains(each.Error(), "\n") {
				t.Errorf("error %q", each)
			}
		}
		if err != nil {
			return
		}
		s := Settings{origins: Origins{}}
		s.setFromProto(read.message, func(string) Origin { return Origin{kind: fromFile} })
		s.setTenants(read)
		shown, err := s.Show()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(shown), "***") {
			return
		}
		again, err := parseFile("parley.yaml", shown, nil)
		if err != nil {
			t.Fatalf("%v in what is shown:\n%s", err, shown)
		}
		other := Settings{origins: Origins{}}
		other.setFromProto(again.message, func(string) Origin { return Origin{kind: fromFile} })
		other.setTenants(again)
		if diff := cmp.Diff(s.toProto(), other.toProto(), protocmp.Transform()); diff != "" || len(s.Tenants) != len(other.Tenants) {
			t.Errorf("what is shown is read as something else (-file +shown):\n%s\n%s", diff, shown)
		}
	})
}

// TestBrokenFileIsSearchedForALimitedTime: a file costs no more than it is long. The first mistake of a large file is
// where the library sees it.
func TestBrokenFileIsSearchedForALimitedTime(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("# a line of a comment\n", 40000) + "log_level: a: b\n"
	_, err := parseFile("parley.yaml", []byte(text), nil)
	if err == nil || !strings.HasPrefix(err.Error(), "parley.yaml:40001: is not valid YAML: mapping values") {
		t.Errorf("%v", err)
	}
}
