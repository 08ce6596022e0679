package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parley-gateway/parley/tools/demo"
)

// bench is everything that clients run against: a gateway, the files that it serves, and the events that they must end with.
type bench struct {
	gateway *demo.Gateway
	work    string
	end     string            // end of the interval that all streams ask for
	served  map[string][]byte // by file name
	events  int
	digest  string
	path    string // PATH of the clients
}

func newBench(ctx context.Context, gateway *demo.Gateway, work string) (*bench, error) {
	b := &bench{
		gateway: gateway, work: work, served: map[string][]byte{}, path: os.Getenv("PATH"),
		end: time.Now().UTC().Add(-time.Hour).Format(time.RFC3339),
	}
	for _, name := range []string{"descriptor.binpb", "openapi.json"} {
		raw, err := b.gateway.Get(ctx, "/"+name)
		if err != nil {
			return nil, err
		}
		b.served[name] = raw
	}
	return b, errors.Join(b.expect(ctx), b.newerMaven(ctx))
}

// expect reads the stream itself, with nothing generated, and notes what the clients must find in it.
func (b *bench) expect(ctx context.Context) error {
	raw, err := b.gateway.Get(ctx, "/v1/users/"+b.gateway.User+"/events:stream?endTime="+b.end)
	if err != nil {
		return err
	}
	uids := map[string]bool{}
	complete := false
	for line := range bytes.Lines(raw) {
		var frame struct {
			Batch struct {
				Events []struct {
					UID string `json:"uid"`
				} `json:"events"`
			} `json:"batch"`
			Summary struct {
				Complete bool `json:"complete"`
			} `json:"summary"`
		}
		if err := json.Unmarshal(line, &frame); err != nil {
			return err
		}
		for _, event := range frame.Batch.Events {
			uids[event.UID] = true
		}
		complete = complete || frame.Summary.Complete
	}
	if !complete {
		return errors.New("the demo user's stream is not complete")
	}
	b.events = len(uids)
	digest := sha256.Sum256([]byte(strings.Join(slices.Sorted(maps.Keys(uids)), "\n")))
	b.digest = hex.EncodeToString(digest[:8])
	return nil
}

// What a client prints.
var (
	listed   = regexp.MustCompile(`(?mi)^listed 20 events, more: true$`)
	streamed = regexp.MustCompile(`(?mi)^streamed (\d+) events, complete: true, resumed: (\d+), uids: ([0-9a-f]{16})$`)
	failure  = regexp.MustCompile(`(?m)^an error says: \S+ INVALID_ARGUMENT$`)
	loaded   = regexp.MustCompile(`(?m)^loaded `)
)

// check makes a client and runs it; one that talks to a gateway runs again through proxies that cut twice.
func (b *bench) check(ctx context.Context, c client) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	folder := filepath.Join(b.work, c.name)
	defer func() { _ = os.RemoveAll(folder) }() // a built client is large
	for name, text := range c.files {
		if err := write(filepath.Join(folder, name), []byte(text)); err != nil {
			return err
		}
	}
	for name, raw := range b.served {
		if err := write(filepath.Join(folder, name), raw); err != nil {
			return err
		}
	}
	grpc, rest := b.gateway.GRPC, b.gateway.REST
	output, err := b.shell(ctx, folder, c.script, grpc, rest)
	if err != nil {
		return err
	}
	// A client that names no gateway only loads what was generated.
	if !strings.Contains(c.lastLine(), "$PARLEY_") {
		if !loaded.MatchString(output) {
			return fmt.Errorf("it printed:\n%s", indent(output))
		}
		return nil
	}
	if err := b.verify(output, 0); err != nil {
		return err
	}
	grpcProxy, err := startProxy(ctx, grpc, cutGRPC)
	if err != nil {
		return err
	}
	defer grpcProxy.stop()
	restProxy, err := startProxy(ctx, strings.TrimPrefix(rest, "http://"), cutREST)
	if err != nil {
		return err
	}
	defer restProxy.stop()
	if output, err = b.shell(ctx, folder, c.lastLine(), grpcProxy.address, "http://"+restProxy.address); err != nil {
		return err
	}
	if cuts := grpcProxy.cuts() + restProxy.cuts(); cuts != allCuts {
		return fmt.Errorf("%d connections were cut, want %d: limits do not fit the stream", cuts, allCuts)
	}
	return b.verify(output, allCuts)
}

// verify compares the output of a client with what it must end with: it resumed at least once for each cut, and never without one.
func (b *bench) verify(output string, cuts int) error {
	match := streamed.FindStringSubmatch(output)
	switch {
	case match == nil, !listed.MatchString(output), !failure.MatchString(output):
		return fmt.Errorf("it printed:\n%s", indent(output))
	case match[1] != strconv.Itoa(b.events) || match[3] != b.digest:
		return fmt.Errorf("it ended with other events:\n%s", indent(output))
	}
	if resumed, err := strconv.Atoi(match[2]); err != nil || resumed < cuts || (cuts == 0 && resumed != 0) {
		return fmt.Errorf("%d connections were cut, but it said:\n%s", cuts, indent(output))
	}
	fmt.Println(indent(match[0]))
	return nil
}

// shell runs commands in a folder and returns what they printed.
func (b *bench) shell(ctx context.Context, folder, script, grpc, rest string) (string, error) {
	command := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	command.Dir = folder
	command.Env = append(os.Environ(), "PATH="+b.path, "PARLEY_GRPC="+grpc, "PARLEY_HTTP="+rest,
		"PARLEY_USER="+b.gateway.User, "END="+b.end, "GOFLAGS=-mod=mod")
	var output, problems bytes.Buffer
	command.Stdout, command.Stderr = &output, &problems
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%w\n%s\n%s", err, indent(last(output.String())), indent(last(problems.String())))
	}
	return output.String(), nil
}

// last returns the end of a long text.
func last(text string) string {
	const most = 4000
	return text[max(0, len(text)-most):]
}

func write(path string, raw []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o644)
}

// mavenVersion is fetched where Maven is older than the Java clients need.
const mavenVersion = "3.9.11"

var mavenLine = regexp.MustCompile(`Apache Maven (\d+)\.(\d+)\.(\d+)`)

// newerMaven puts a newer Maven before an old one in the clients' PATH. Debian's is too old for the protobuf plugin.
func (b *bench) newerMaven(ctx context.Context) error {
	said, err := exec.CommandContext(ctx, "mvn", "-v").Output()
	if err != nil {
		return fmt.Errorf("mvn: %w", err)
	}
	var major, minor, patch int
	match := mavenLine.FindSubmatch(said)
	if match == nil {
		return fmt.Errorf("mvn said %q", said)
	}
	if _, err := fmt.Sscan(string(bytes.Join(match[1:], []byte(" "))), &major, &minor, &patch); err != nil {
		return err
	}
	if slices.Compare([]int{major, minor, patch}, []int{3, 9, 6}) >= 0 {
		return nil
	}
	_, err = b.shell(ctx, b.work, `mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy `+
		`-Dartifact=org.apache.maven:apache-maven:`+mavenVersion+`:tar.gz:bin -DoutputDirectory=. && tar -xzf apache-maven-*.tar.gz`, "", "")
	b.path = filepath.Join(b.work, "apache-maven-"+mavenVersion, "bin") + ":" + b.path
	return err
}
