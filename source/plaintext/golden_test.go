package plaintext_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/source/plaintext"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// message is the part of a chatMessage or aiInteraction that Plain reads, as Graph sends it.
type message struct {
	Body struct {
		ContentType            string `json:"contentType"`
		MessageBodyContentType string `json:"messageBodyContentType"`
		Content                string `json:"content"`
	} `json:"body"`
	Attachments []struct {
		ID           string  `json:"id"`
		AttachmentID string  `json:"attachmentId"`
		Name         *string `json:"name"`
		ContentType  string  `json:"contentType"`
		ContentURL   *string `json:"contentUrl"`
		Content      *string `json:"content"`
	} `json:"attachments"`
}

func (m *message) input() plaintext.Input {
	in := plaintext.Input{Content: m.Body.Content, ContentType: m.Body.ContentType}
	if m.Body.MessageBodyContentType != "" {
		in.ContentType = m.Body.MessageBodyContentType
	}
	str := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	for _, a := range m.Attachments {
		in.Attachments = append(in.Attachments, plaintext.Attachment{
			ID: a.ID + a.AttachmentID, Name: str(a.Name), ContentType: a.ContentType,
			ContentURL: str(a.ContentURL), Content: str(a.Content),
		})
	}
	return in
}

// TestGolden turns whole messages of testdata, in Graph's shape, into text. "go test -update" rewrites the expected
// texts.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var m message
			if err := json.Unmarshal(data, &m); err != nil {
				t.Fatal(err)
			}
			got := plaintext.Plain(m.input()) + "\n"
			golden := strings.TrimSuffix(file, ".json") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
