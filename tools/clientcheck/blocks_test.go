package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadClients(t *testing.T) {
	t.Parallel()
	const page = "# Page\n\n```sh\nexport X=1\n```\n\n```json service-config.json\n{}\n```\n## A\n\n```sh a\nmake a\nrun a\n```\n\n```go main.go\npackage main\n```\n## B\nwords\n### C\n```sh c\nrun c\n```\n"
	got, err := readClients(page)
	if err != nil {
		t.Fatal(err)
	}
	want := []client{
		{name: "a", script: "make a\nrun a\n", files: map[string]string{"main.go": "package main\n", sharedFile: "{}\n"}},
		{name: "c", script: "run c\n", files: map[string]string{sharedFile: "{}\n"}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(client{})); diff != "" {
		t.Errorf("clients (-want +got):\n%s", diff)
	}
	if got[0].lastLine() != "run a" {
		t.Errorf("the last line is %q", got[0].lastLine())
	}
	for name, broken := range map[string]string{
		"an open fence":        "## A\n```sh a\nrun\n",
		"a file of no client":  "## A\n```go main.go\n```\n",
		"a file before a head": "```go main.go\n```\n## A\n",
	} {
		if _, err := readClients(broken); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}

// TestHandbook holds that the page names every client that is promised, and that each run tells the gateway by the environment.
func TestHandbook(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	clients, err := readClients(string(page))
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, len(clients))
	for _, c := range clients {
		names = append(names, c.name)
		if c.name != "php-ruby" && !strings.Contains(c.lastLine(), "$PARLEY_") {
			t.Errorf("%s runs %q", c.name, c.lastLine())
		}
	}
	want := []string{
		"python", "connect-es", "ts-proto", "go", "java", "kotlin", "rust", "php-ruby",
		"openapi-python", "openapi-typescript-fetch", "openapi-go", "openapi-python-client", "openapi-fetch",
	}
	if !slices.Equal(names, want) {
		t.Errorf("clients %v, want %v", names, want)
	}
}
