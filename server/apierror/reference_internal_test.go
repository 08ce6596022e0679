package apierror

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/timeline/failure"
)

var update = flag.Bool("update", false, "write the reference of docs/errors.md anew")

const (
	handbook = "../../docs/errors.md"
	begin    = "<!-- made from server/apierror/table.go and error_reason.proto by `make generate` -->\n"
	end      = "<!-- end of what is made -->\n"
)

// comments returns the comments of the values of an enum of the contract, each as its first paragraph and the rest.
func comments(t *testing.T, enum protoreflect.FullName) map[protoreflect.EnumNumber][2]string {
	t.Helper()
	raw, err := os.ReadFile("../../gen/descriptor/parley-full.binpb")
	if err != nil {
		t.Fatal(err)
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(raw, set); err != nil {
		t.Fatal(err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatal(err)
	}
	found, err := files.FindDescriptorByName(enum)
	if err != nil {
		t.Fatal(err)
	}
	descriptor, ok := found.(protoreflect.EnumDescriptor)
	if !ok {
		t.Fatalf("%s is no enum", enum)
	}
	said := map[protoreflect.EnumNumber][2]string{}
	for i := range descriptor.Values().Len() {
		value := descriptor.Values().Get(i)
		comment := value.ParentFile().SourceLocations().ByDescriptor(value).LeadingComments
		what, help, _ := strings.Cut(comment, "\n\n")
		said[value.Number()] = [2]string{strings.Join(strings.Fields(what), " "), strings.Join(strings.Fields(help), " ")}
	}
	return said
}

// TestEveryReasonInAnswersIsExplained: a reason of a gap or of the state of a source has a message for the notice about it.
func TestEveryReasonInAnswersIsExplained(t *testing.T) {
	t.Parallel()
	for reason, row := range table {
		if row.inAnswers && failure.Explain(reason, nil) == "" {
			t.Errorf("%v has no message in timeline/failure/explain.go", reason)
		}
	}
}

// TestHelpEndsTheCommentOfEachReason holds the contract against the table: the comment of each reason ends with the help of its row.
func TestHelpEndsTheCommentOfEachReason(t *testing.T) {
	t.Parallel()
	for number, said := range comments(t, "parley.v1.ErrorReason") {
		reason := parleyv1.ErrorReason(number)
		if said[0] == "" || said[1] != table[reason].help {
			t.Errorf("%v: the proto says %q, then %q; the table's help is %q", reason, said[0], said[1], table[reason].help)
		}
	}
}

// TestReference holds the handbook against the table and the contract's comments.
func TestReference(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(handbook)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(page), begin)
	made, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatal("docs/errors.md has no place for the reference")
	}
	want := reference(t)
	if *update {
		if err := os.WriteFile(handbook, []byte(head+begin+want+end+tail), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if made != want {
		t.Error("docs/errors.md is not what the table and the protos say: run `make generate`")
	}
}

// reference renders the tables of the handbook.
func reference(t *testing.T) string {
	t.Helper()
	said := comments(t, "parley.v1.ErrorReason")
	var page, gaps strings.Builder
	page.WriteString("### Reasons of errors\n\nThose with a ✓ are reasons of gaps and of sources, too.\n\n" +
		"| code | REST | reason | gap | what happened | what to do |\n|---|---|---|---|---|---|\n")
	gaps.WriteString("\n### Reasons of gaps alone\n\nNo call fails for these: what was read is delivered, and reading goes on.\n\n" +
		"| reason | what happened | what to do |\n|---|---|---|\n")
	for _, reason := range values[parleyv1.ErrorReason](parleyv1.ErrorReason_name) {
		r, text := table[reason], said[reason.Number()]
		if r.code == codes.OK {
			fmt.Fprintf(&gaps, "| `%s` | %s | %s |\n", reasons.Text(reason), text[0], text[1])
			continue
		}
		st, mark := ForReason(reason).GRPCStatus(), ""
		if r.inAnswers {
			mark = "✓"
		}
		fmt.Fprintf(&page, "| %s | %d | `%s` | %s | %s | %s |\n", codeName(t, st), HTTPStatus(st), reasons.Text(reason), mark, text[0], text[1])
	}
	page.WriteString(gaps.String())
	page.WriteString("\n### Codes of notices\n\nA notice about a gap or about a source has the reason of that as its code. The others:\n\n" +
		"| code | what happened | what to do |\n|---|---|---|\n")
	said = comments(t, "parley.v1.NoticeCode")
	for _, code := range values[parleyv1.NoticeCode](parleyv1.NoticeCode_name) {
		fmt.Fprintf(&page, "| `%s` | %s | %s |\n", reasons.Code(code), said[code.Number()][0], said[code.Number()][1])
	}
	return page.String()
}

// values returns the values of an enum but the unspecified one, by number.
func values[E ~int32](names map[int32]string) []E {
	var list []E
	for number := range names {
		if number != 0 {
			list = append(list, E(number))
		}
	}
	slices.Sort(list)
	return list
}

// codeName is a code as google.rpc.Code spells it.
func codeName(t *testing.T, st *status.Status) string {
	t.Helper()
	if HTTPStatus(st) < http.StatusBadRequest {
		t.Errorf("%v is no error", st)
	}
	return code.Code_name[int32(st.Code())]
}
