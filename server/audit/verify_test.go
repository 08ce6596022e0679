package audit_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/parley-gateway/parley/server/audit"
)

// trail is the lines of a process that made four calls, the third denied: intent 1, outcome 2, intent 3, outcome 4, outcome 5
// (denied), intent 6, intent 7 (of 6), outcome 8.
func trail(t *testing.T) []string {
	t.Helper()
	var out bytes.Buffer
	log := audit.New(audit.Stream{W: &out}, audit.Options{})
	for range 2 {
		call, err := record(log, intent())
		if err != nil {
			t.Fatal(err)
		}
		call.End(audit.Outcome{Code: "OK"})
	}
	deny(log, intent(), audit.Outcome{Code: "PERMISSION_DENIED"})
	asked := intent()
	asked.Owner = "ada@contoso.example"
	call, err := record(log, asked)
	if err != nil {
		t.Fatal(err)
	}
	if err := call.Intent(intent()); err != nil {
		t.Fatal(err)
	}
	call.End(audit.Outcome{Code: "OK"})
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	return slices.Collect(strings.Lines(out.String()))
}

// verify reads files and returns the problems.
func verify(t *testing.T, files ...string) (processes []audit.ProcessReport, problems []string) {
	t.Helper()
	v := audit.NewVerifier()
	for _, file := range files {
		if err := v.Read("audit", strings.NewReader(file)); err != nil {
			t.Fatal(err)
		}
	}
	processes, findings, _ := v.Report()
	for _, f := range findings {
		problems = append(problems, f.Problem)
	}
	return processes, problems
}

// TestChangedRecordsAreFound changes what a process wrote: what is not as it was written shows, as far as a chain without a secret can
// show it.
func TestChangedRecordsAreFound(t *testing.T) {
	t.Parallel()
	join := func(lines ...string) string { return strings.Join(lines, "") }
	without := func(lines []string, at ...int) string {
		var kept []string
		for i, line := range lines {
			if !slices.Contains(at, i+1) {
				kept = append(kept, line)
			}
		}
		return join(kept...)
	}
	swap := func(lines []string, a, b int) string {
		moved := slices.Clone(lines)
		moved[a-1], moved[b-1] = moved[b-1], moved[a-1]
		return join(moved...)
	}
	for name, c := range map[string]struct {
		change func(lines []string) []string // the files
		want   []string                      // parts of the problems, in order
	}{
		"as written":            {func(l []string) []string { return []string{join(l...)} }, nil},
		"without the last end":  {func(l []string) []string { return []string{strings.TrimSuffix(join(l...), "\n")} }, []string{"is not a whole record", "have no outcome"}},
		"in two files":          {func(l []string) []string { return []string{join(l[:3]...), join(l[3:]...)} }, nil},
		"the second file alone": {func(l []string) []string { return []string{join(l[3:]...)} }, nil},
		"another owner":         {func(l []string) []string { l[1] = strings.Replace(l[1], ada, tenant, 1); return []string{join(l...)} }, []string{"does not follow"}},
		"in the last record": {func(l []string) []string {
			l[7] = strings.Replace(l[7], `"OK"`, `"NO"`, 1)
			return []string{join(l...)}
		}, []string{"does not follow"}},
		"another number": {func(l []string) []string {
			l[7] = strings.Replace(l[7], `"number":8`, `"number":9`, 1)
			return []string{join(l...)}
		}, []string{"does not follow", "record 8 is missing"}},
		"a call taken out":       {func(l []string) []string { return []string{without(l, 3, 4)} }, []string{"does not follow", "records 3 to 4 are missing"}},
		"an intent taken out":    {func(l []string) []string { return []string{without(l, 3)} }, []string{"does not follow", "record 3 is missing", "belongs to the intent 3, which is missing"}},
		"a denial taken out":     {func(l []string) []string { return []string{without(l, 5)} }, []string{"does not follow", "record 5 is missing"}},
		"the first taken out":    {func(l []string) []string { return []string{without(l, 1)} }, nil}, // said by First
		"the tail cut":           {func(l []string) []string { return []string{join(l[:6]...)} }, []string{"1 calls have no outcome, the first of them with the intent 6"}},
		"cut between two calls":  {func(l []string) []string { return []string{join(l[:5]...)} }, nil}, // not to be seen; the verb says so
		"two in another order":   {func(l []string) []string { return []string{swap(l, 2, 3)} }, []string{"does not follow", "record 2 is missing", "does not follow", "has the number 2 after 3", "does not follow"}},
		"a record twice":         {func(l []string) []string { return []string{join(l...) + l[7]} }, []string{"does not follow", "has the number 8 after 8", "belongs to the intent 6, which is missing or has its outcome already"}},
		"a torn record":          {func(l []string) []string { l[4] = l[4][:40] + "\n"; return []string{join(l...)} }, []string{"is not a whole record", "does not follow", "record 5 is missing"}},
		"a line that is foreign": {func(l []string) []string { return []string{l[0] + "hello\n" + join(l[1:]...)} }, []string{"is not a whole record"}},
		"a chain taken off": {func(l []string) []string {
			body, _, _ := strings.Cut(l[2], `,"chain"`)
			l[2] = body + "}\n"
			return []string{join(l...)}
		}, []string{"has no chain"}},
		"a record put in": {func(l []string) []string {
			forged := strings.Replace(l[4], `"number":5`, `"number":6`, 1)
			return []string{join(l[:5]...) + forged + join(l[5:]...)}
		}, []string{"does not follow", "has the number 6 after 6"}},
		"too long for a record": {func(l []string) []string {
			return []string{join(l[:7]...) + strings.Repeat("x", 3<<20) + "\n" + l[7]}
		}, []string{"is not a whole record"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, problems := verify(t, c.change(trail(t))...)
			if len(problems) != len(c.want) {
				t.Fatalf("%q, want %q", problems, c.want)
			}
			for i := range problems {
				if !strings.Contains(problems[i], c.want[i]) {
					t.Errorf("%q, want %q", problems[i], c.want[i])
				}
			}
		})
	}
}

func TestReportListsEachProcess(t *testing.T) {
	t.Parallel()
	one, two := strings.Join(trail(t), ""), strings.Join(trail(t)[:6], "")
	processes, problems := verify(t, one+two)
	if len(processes) != 2 || len(problems) != 1 {
		t.Fatalf("%+v, %q", processes, problems)
	}
	if p := processes[0]; p.First != 1 || p.Last != 8 || p.Records != 8 || p.Calls != 3 || p.Open != 0 {
		t.Errorf("first process %+v", p)
	}
	if p := processes[1]; p.Last != 6 || p.Calls != 2 || p.Open != 1 {
		t.Errorf("second process %+v", p)
	}
}

// TestLostRecordsShow: a record that could not be written is a missing number in a chain that goes on.
func TestLostRecordsShow(t *testing.T) {
	t.Parallel()
	for name, part := range map[string]int{"nothing of it is there": 0, "a part of it is there": 100} {
		sink := &flaky{}
		log := audit.New(sink, audit.Options{})
		call, err := record(log, intent())
		if err != nil {
			t.Fatal(err)
		}
		sink.set(errors.New("disk full"), part)
		if _, err := record(log, intent()); err == nil {
			t.Fatal("written to a full disk")
		}
		sink.set(nil, 0)
		call.End(audit.Outcome{Code: "OK"})
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		_, problems := verify(t, sink.String())
		want := []string{"record 2 is missing, and the chain goes on: they could not be written"}
		if part > 0 {
			want = append([]string{"is not a whole record"}, want...)
		}
		if len(problems) != len(want) || !strings.Contains(strings.Join(problems, "|"), want[len(want)-1]) || !strings.Contains(problems[0], want[0]) {
			t.Errorf("%s: %q, want %q", name, problems, want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add([]byte(`{"schema":"parley.audit.v1","instance":"k","number":1,"kind":"intent","chain":""}` + "\n"))
	f.Add([]byte("\n\n{}\n[1]\nnull"))
	f.Add([]byte(`{"schema":"parley.audit.v1","instance":"k","number":18446744073709551615,"kind":"outcome","intent":18446744073709551615}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v := audit.NewVerifier()
		if err := v.Read("fuzz", bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		v.Report()
	})
}
