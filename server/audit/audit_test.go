package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/server/audit"
)

const (
	ada    = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
	tenant = "5f3c1f6e-2a7b-4d1c-9a55-0c6d2f7e8b10"
)

var start = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// record begins the record of a call.
func record(log *audit.Log, asked audit.Intent) (*audit.Call, error) {
	call := &audit.Call{}
	call.Open(log)
	err := call.Intent(asked)
	return call, err
}

// deny records a call that the policy refused.
func deny(log *audit.Log, asked audit.Intent, out audit.Outcome) {
	call := &audit.Call{}
	call.Open(log)
	call.Deny(asked)
	call.End(out)
	call.End(audit.Outcome{Code: "OK"}) // of no consequence: the record has ended
}

func intent() audit.Intent {
	return audit.Intent{
		RequestID: "r1", Caller: audit.RecordedCaller{ID: "user:" + tenant + "/" + ada, Kind: "user", Application: "app"},
		Rule: "own-data", Policy: "sha256:00", RPC: "StreamEvents", Protocol: "rest", Tenant: "default", TenantID: tenant,
		Owner: strings.ToUpper(ada), Sources: []string{"copilot", "chat"}, Start: start, View: "full", Reason: "case\n7",
	}
}

// lines decodes the records of a sink and takes the instance out, which must be the same in all.
func lines(t *testing.T, text string) []map[string]any {
	t.Helper()
	var all []map[string]any
	instance := any(nil)
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if instance == nil {
			instance = record["instance"]
		}
		if record["instance"] != instance || instance == "" {
			t.Errorf("instance %v, before %v", record["instance"], instance)
		}
		if chain, _ := record["chain"].(string); len(chain) != 64 {
			t.Errorf("chain %q", chain)
		}
		delete(record, "instance")
		delete(record, "chain")
		all = append(all, record)
	}
	return all
}

func TestRecords(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := time.Date(2026, 11, 22, 12, 0, 0, 5e8, time.UTC)
	log := audit.New(audit.Stream{W: &out}, audit.Options{Now: func() time.Time { return now }})
	call, err := record(log, intent())
	if err != nil {
		t.Fatal(err)
	}
	if out.Len() == 0 {
		t.Fatal("the intent is not out before the answer")
	}
	now = now.Add(1500 * time.Millisecond)
	complete := true
	call.End(audit.Outcome{Code: "OK", Events: 7, Complete: &complete})
	call.End(audit.Outcome{Code: "INTERNAL"})
	deny(log, audit.Intent{RequestID: "r2", Caller: audit.RecordedCaller{ID: "anonymous", Kind: "anonymous"}, RPC: "ListUsers"},
		audit.Outcome{Code: "PERMISSION_DENIED", ErrorReason: "POLICY_DENIED"})

	first := map[string]any{
		"schema": "parley.audit.v1", "number": 1.0, "time": "2026-11-22T12:00:00.5Z", "kind": "intent", "request_id": "r1",
		"caller": map[string]any{"id": "user:" + tenant + "/" + ada, "kind": "user", "application": "app"},
		"rule":   "own-data", "policy": "sha256:00", "rpc": "StreamEvents", "protocol": "rest", "tenant": "default", "tenant_id": tenant,
		"owner": ada, "sources": []any{"copilot", "chat"}, "start_time": "2026-11-01T00:00:00Z", "view": "full", "reason": "case 7",
	}
	second := map[string]any{}
	maps.Copy(second, first)
	second["number"], second["time"], second["kind"] = 2.0, "2026-11-22T12:00:02Z", "outcome"
	second["intent"] = 1.0
	second["outcome"] = map[string]any{"code": "OK", "events": 7.0, "complete": true, "milliseconds": 1500.0}
	third := map[string]any{
		"schema": "parley.audit.v1", "number": 3.0, "time": "2026-11-22T12:00:02Z", "kind": "outcome", "request_id": "r2",
		"caller": map[string]any{"id": "anonymous", "kind": "anonymous"}, "rule": "", "policy": "", "rpc": "ListUsers",
		"outcome": map[string]any{"code": "PERMISSION_DENIED", "reason": "POLICY_DENIED", "events": 0.0, "milliseconds": 0.0},
	}
	if diff := cmp.Diff([]map[string]any{first, second, third}, lines(t, out.String())); diff != "" {
		t.Error(diff)
	}
}

func TestOwnerHoldsNoName(t *testing.T) {
	t.Parallel()
	for user, want := range map[string]string{"": "", "-": "-", ada: ada, strings.ToUpper(ada): ada} {
		if have := audit.Owner(user); have != want {
			t.Errorf("%q: %q, want %q", user, have, want)
		}
	}
	have := audit.Owner("Ada@contoso.example")
	if !strings.HasPrefix(have, "sha256:") || strings.Contains(have, "ada") || have != audit.Owner("ada@contoso.example") || have == audit.Owner("bob") {
		t.Errorf("a name becomes %q", have)
	}
}

// flaky is a sink that fails, or writes a part, on demand.
type flaky struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	fail error
	part int
}

func (f *flaky) Write(line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil || f.part > 0 {
		_, _ = f.buf.Write(line[:f.part])
		return f.part, f.fail
	}
	return f.buf.Write(line)
}

func (f *flaky) set(fail error, part int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail, f.part = fail, part
}

func (f *flaky) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.buf.String()
}

func (*flaky) Close() error { return nil }

func TestIntentFailsWithItsSink(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left")
	sink := &flaky{fail: full}
	var told []error
	log := audit.New(sink, audit.Options{Failed: func(err error) { told = append(told, err) }})
	if _, err := record(log, intent()); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	sink.set(full, 10)
	if _, err := record(log, intent()); !errors.Is(err, full) {
		t.Errorf("half a record: %v", err)
	}
	sink.set(nil, 10)
	if _, err := record(log, intent()); err == nil {
		t.Error("a short write is no error")
	}
	sink.set(nil, 0)
	call, err := record(log, intent())
	if err != nil {
		t.Fatal(err)
	}
	sink.set(full, 0)
	call.End(audit.Outcome{Code: "OK"})
	if len(told) != 4 {
		t.Errorf("%d failures told, want 4: %v", len(told), told)
	}
	// What follows a torn line is whole, and its number shows what was lost.
	text := strings.TrimSuffix(sink.String(), "\n")
	records := lines(t, text[strings.LastIndexByte(text, '\n')+1:])
	if len(records) != 1 || records[0]["number"] != 4.0 {
		t.Errorf("%v in %q", records, sink.String())
	}
	if err := log.Close(); err != nil {
		t.Error(err)
	}
	if _, err := record(log, intent()); err == nil {
		t.Error("a closed log took a record")
	}
}

func TestHostileTextStaysInItsLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := audit.New(audit.Stream{W: &out}, audit.Options{})
	hostile := intent()
	hostile.Reason = "a\r\n{\"schema\":\"forged\"}\x00\u2028\u202e\xff" + strings.Repeat("é", 1000)
	hostile.RequestID = "x\ny"
	if _, err := record(log, hostile); err != nil {
		t.Fatal(err)
	}
	if strings.Count(out.String(), "\n") != 1 || out.Len() > 2000 {
		t.Errorf("%d bytes: %q", out.Len(), out.String())
	}
	if record := lines(t, out.String())[0]; strings.ContainsAny(record["reason"].(string), "\x00\u2028\u202e\n") {
		t.Errorf("reason %q", record["reason"])
	}
}

func TestNumbersFollowTheLines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit")
	file, err := audit.OpenFile(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	log := audit.New(file, audit.Options{})
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 25 {
				call, err := record(log, intent())
				if err != nil {
					t.Error(err)
					return
				}
				call.End(audit.Outcome{Code: "OK"})
			}
		})
	}
	group.Wait()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	records := lines(t, string(text))
	for i, record := range records {
		if record["number"] != float64(i+1) {
			t.Fatalf("line %d has number %v", i+1, record["number"])
		}
	}
	if len(records) != 800 {
		t.Errorf("%d records", len(records))
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v: others may read the records", info.Mode(), err)
	}
}

func TestFileFollowsRotation(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit")
	if err := os.WriteFile(path, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1, 0)
	file, err := audit.OpenFile(path, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		now = now.Add(2 * time.Second)
		if n, err := file.Write([]byte(text)); err != nil || n != len(text) {
			t.Fatalf("%q: %d, %v", text, n, err)
		}
	}
	write("one\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write("two\n")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write("three\n")
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{path + ".1": "before\none\n", path: "three\n"} {
		if have, err := os.ReadFile(name); err != nil || string(have) != want {
			t.Errorf("%s: %q, %v, want %q", name, have, err, want)
		}
	}
	if _, err := file.Write([]byte("x")); err == nil {
		t.Error("a closed file took a record")
	}
	if err := file.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

func TestFileThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "missing", "audit")} {
		if _, err := audit.OpenFile(path, nil); err == nil {
			t.Errorf("%s: opened", path)
		}
	}
	// A rotation into a folder that is gone: the record, and with it the call, fails.
	folder := filepath.Join(dir, "logs")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1, 0)
	file, err := audit.OpenFile(filepath.Join(folder, "audit"), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	if _, err := file.Write([]byte("x\n")); err == nil {
		t.Error("written to nowhere")
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write([]byte("x\n")); err != nil {
		t.Errorf("after the folder is back: %v", err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}
