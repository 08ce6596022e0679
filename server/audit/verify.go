package audit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

const (
	// maxRecord is the longest line that is read as a record, in bytes.
	maxRecord = 1 << 20
	// maxFindings is how many findings are kept; the others are counted.
	maxFindings = 1000
)

// Finding is a mistake in a file of records.
type Finding struct {
	// File and Line say where; Line is 0 for what concerns a process as a whole.
	File string
	Line int
	// Instance is the process; empty where the line does not tell.
	Instance string
	// Problem is what is wrong.
	Problem string
}

// ProcessReport describes the records of one process.
type ProcessReport struct {
	Instance string
	// First and Last are the numbers of its first and last record.
	First, Last uint64
	// Records is how many there are, Calls how many intents have their outcome, Open how many have none.
	Records, Calls, Open int
}

// Verifier checks the numbers and chains of records. Read files of one deployment in the order in which they were written, then
// ask for the Report. The chain has no secret: whoever may change a file can also make a new chain for it.
type Verifier struct {
	processes []*process
	byName    map[string]*process
	findings  []Finding
	more      int
}

// process is the state of the check of one process.
type process struct {
	ProcessReport

	chain   [sha256.Size]byte
	chained bool            // chain is the digest of its last record
	open    map[uint64]bool // intents without their outcome so far
}

// NewVerifier returns a Verifier that has read nothing.
func NewVerifier() *Verifier { return &Verifier{byName: map[string]*process{}} }

// Read reads one file; the name is for findings. An error says that the file could not be read; faults of the records are findings.
func (v *Verifier) Read(name string, from io.Reader) error {
	lines := bufio.NewReaderSize(from, 64<<10)
	for number := 1; ; number++ {
		line, long, err := readLine(lines)
		whole := err == nil
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !whole && len(line) == 0 && !long {
			return nil
		}
		v.checkLine(Finding{File: name, Line: number}, line, whole && !long)
		if !whole {
			return nil
		}
	}
}

// readLine reads a line without its end, of at most maxRecord bytes; the rest of a longer one is skipped.
func readLine(from *bufio.Reader) (line []byte, long bool, err error) {
	for {
		part, err := from.ReadSlice('\n')
		if len(line)+len(part) > maxRecord {
			long, line = true, line[:0]
		} else if !long {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSuffix(line, []byte("\n")), long, err
		}
	}
}

// parsedRecord has the members of a record that are checked.
type parsedRecord struct {
	Schema   string `json:"schema"`
	Instance string `json:"instance"`
	Number   uint64 `json:"number"`
	Kind     string `json:"kind"`
	Intent   uint64 `json:"intent"`
}

// checkLine checks a line. whole says that it has its end and is not too long.
func (v *Verifier) checkLine(at Finding, line []byte, whole bool) {
	if whole && len(line) == 0 {
		return // before a record that follows a torn one
	}
	var record parsedRecord
	if !whole || json.Unmarshal(line, &record) != nil || record.Schema != Schema || record.Instance == "" || record.Number == 0 {
		v.addFinding(at, "is not a whole record: torn while it was written, changed, or not written by this log")
		return
	}
	at.Instance = record.Instance
	p := v.byName[record.Instance]
	if p == nil {
		p = &process{ProcessReport: ProcessReport{Instance: record.Instance, First: record.Number}, open: map[uint64]bool{}}
		p.chained = record.Number == 1 // the first record follows none
		v.byName[record.Instance], v.processes = p, append(v.processes, p)
	}
	intact := v.checkChain(at, p, line)
	v.checkNumber(at, p, record.Number, intact)
	p.Records++
	p.Last = max(p.Last, record.Number)
	v.matchOutcome(at, p, &record)
}

// checkChain checks a record's digest against the record before it.
func (v *Verifier) checkChain(at Finding, p *process, line []byte) (intact bool) {
	const tail = len(chainMember) + 2*sha256.Size + len(`"}`)
	end := max(len(line)-tail, 0)
	body, member := line[:end], line[end:]
	var have [sha256.Size]byte
	hexed, ok := bytes.CutPrefix(member, []byte(chainMember))
	if ok {
		hexed, ok = bytes.CutSuffix(hexed, []byte(`"}`))
	}
	if ok {
		_, err := hex.Decode(have[:], hexed)
		ok = err == nil
	}
	if !ok {
		v.addFinding(at, "has no chain, so that it may have been changed or put in")
		p.chained = false
		return false
	}
	before, known := p.chain, p.chained
	p.chain, p.chained = have, true
	if !known {
		return false // the record before it is not here
	}
	if want := sha256.Sum256(slices.Concat(before[:], body)); want != have {
		v.addFinding(at, "does not follow from the record before it: one of the two was changed, or records between them were taken out or put in")
		return false
	}
	return true
}

// checkNumber checks that a record's number is the next.
func (v *Verifier) checkNumber(at Finding, p *process, number uint64, intact bool) {
	switch {
	case p.Records == 0 || number == p.Last+1:
	case number <= p.Last:
		v.addFinding(at, fmt.Sprintf("has the number %d after %d: it is there twice, or out of order", number, p.Last))
	case intact:
		v.addFinding(at, recordsAre(p.Last+1, number-1)+" missing, and the chain goes on: they could not be written")
	default:
		v.addFinding(at, recordsAre(p.Last+1, number-1)+" missing")
	}
}

// recordsAre returns subject and verb of a sentence about records.
func recordsAre(from, to uint64) string {
	if from == to {
		return fmt.Sprintf("record %d is", from)
	}
	return fmt.Sprintf("records %d to %d are", from, to)
}

// matchOutcome matches an outcome with its intent, and a further intent with the first one of its call.
func (v *Verifier) matchOutcome(at Finding, p *process, record *parsedRecord) {
	switch record.Kind {
	case KindIntent:
		if record.Intent == 0 {
			p.open[record.Number] = true
			return
		}
		if p.open[record.Intent] {
			return
		}
	case KindOutcome:
		if record.Intent == 0 {
			return // of a call that was denied
		}
		if p.open[record.Intent] {
			delete(p.open, record.Intent)
			p.Calls++
			return
		}
	default:
		return
	}
	if record.Intent >= p.First { // else it is in an earlier file
		v.addFinding(at, fmt.Sprintf("belongs to the intent %d, which is missing or has its outcome already", record.Intent))
	}
}

// addFinding adds a finding, or counts it when there are too many.
func (v *Verifier) addFinding(at Finding, problem string) {
	if len(v.findings) >= maxFindings {
		v.more++
		return
	}
	at.Problem = problem
	v.findings = append(v.findings, at)
}

// Report returns the processes in the order in which they first appear, and all findings; more is how many were not kept.
// Intents without an outcome are findings of their process: calls under way, calls that ended with the process, and records
// that are missing at the end.
func (v *Verifier) Report() (processes []ProcessReport, findings []Finding, more int) {
	findings = slices.Clone(v.findings)
	for _, p := range v.processes {
		p.Open = len(p.open)
		processes = append(processes, p.ProcessReport)
		if p.Open > 0 {
			open := slices.Sorted(maps.Keys(p.open))
			findings = append(findings, Finding{Instance: p.Instance, Problem: fmt.Sprintf(
				"%d calls have no outcome, the first of them with the intent %d: they are under way, ended with the process, or their records are missing", len(open), open[0])})
		}
	}
	return processes, findings, v.more
}
