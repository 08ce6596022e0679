package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/parley-gateway/parley/server/audit"
)

type auditVerb struct {
	Verify verifyVerb `cmd:"" help:"Check the numbers, the chain and the outcomes of audit records; exit code 1 if something is missing or was changed."`
}

type verifyVerb struct {
	Files []string `arg:"" name:"file" type:"path" help:"Files of audit records, in the order in which they were written; - is standard input."`
}

// unproven says what a chain of records without a secret cannot prove.
const unproven = `Not proven: that no record is missing after the last one of a process, unless its call has no outcome; that whoever may write to
the file did not make it anew as a whole, since the chain has no secret. Compare with the copy that is shipped off the host.
`

// Run prints what the records of each process show, and what they cannot show.
func (v verifyVerb) Run(to streams) error {
	verifier := audit.NewVerifier()
	for _, path := range v.Files {
		if err := readRecords(verifier, path); err != nil {
			return usageError{err}
		}
	}
	processes, findings, more := verifier.Report()
	var text []byte
	for _, p := range processes {
		text = fmt.Appendf(text, "process %s: records %d to %d, %d of them here; %d calls with their outcome, %d without\n",
			p.Instance, p.First, p.Last, p.Records, p.Calls, p.Open)
		if p.First > 1 {
			text = fmt.Appendf(text, "  begins with record %d: what comes before it, and that the record itself was not changed, is not proven without the earlier file\n", p.First)
		}
	}
	for _, f := range findings {
		text = fmt.Appendln(text, describe(f))
	}
	if more > 0 {
		text = fmt.Appendf(text, "and %d findings more\n", more)
	}
	text = append(text, unproven...)
	if _, err := to.out.Write(text); err != nil {
		return err
	}
	switch {
	case len(processes) == 0:
		return errors.New("there is no audit record in what was read")
	case len(findings) > 0:
		return fmt.Errorf("the records are not whole: %d findings", len(findings)+more)
	default:
		return nil
	}
}

// readRecords reads one file.
func readRecords(verifier *audit.Verifier, path string) (err error) {
	if path == "-" {
		return verifier.Read("standard input", os.Stdin)
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return verifier.Read(path, io.Reader(file))
}

// describe returns the line about a finding.
func describe(f audit.Finding) string {
	switch {
	case f.Line == 0:
		return "process " + f.Instance + ": " + f.Problem
	case f.Instance == "":
		return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Problem)
	default:
		return fmt.Sprintf("%s:%d: process %s: %s", f.File, f.Line, f.Instance, f.Problem)
	}
}
