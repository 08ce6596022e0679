package main

import (
	"bytes"
	_ "embed" // the guide
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// guide is the head of the page.
//
//go:embed guide.md
var guide string

// pages are the files of the model in the order of the page, each with the title of its part.
var pages = []struct{ file, title string }{
	{"parley/v1/event.proto", "Events"},
	{"parley/v1/copilot.proto", "Copilot prompts and answers"},
	{"parley/v1/chat.proto", "Chat messages"},
	{"parley/v1/system.proto", "Notes of Teams"},
	{"parley/v1/call.proto", "Call records"},
	{"parley/v1/content.proto", "Bodies, attachments, mentions, links, reactions"},
	{"parley/v1/identity.proto", "Identities"},
	{"parley/v1/conversation.proto", "Conversations"},
	{"parley/v1/usage.proto", "Copilot usage"},
	{"parley/v1/user.proto", "Users"},
	{"parley/v1/answer.proto", "What an answer says of itself"},
	{"parley/v1/source.proto", "Sources"},
}

// writer writes the page.
type writer struct {
	out  bytes.Buffer
	opts *options
}

// render turns a serialized descriptor set into the page.
func render(descriptorSet []byte) ([]byte, error) {
	files, opts, err := load(descriptorSet)
	if err != nil {
		return nil, err
	}
	w := &writer{opts: opts}
	w.out.WriteString(guide)
	descriptors := make([]protoreflect.FileDescriptor, len(pages))
	for i, page := range pages {
		if descriptors[i], err = files.FindFileByPath(page.file); err != nil {
			return nil, fmt.Errorf("%s: %w", page.file, err)
		}
	}
	w.contents(descriptors)
	for i, page := range pages {
		fmt.Fprintf(&w.out, "\n## %s\n\n%s\n", page.title, prose(fileComment(descriptors[i])))
		w.file(descriptors[i])
	}
	return w.out.Bytes(), nil
}

// contents lists the messages of each part.
func (w *writer) contents(files []protoreflect.FileDescriptor) {
	w.out.WriteString("\n| part | messages |\n|---|---|\n")
	for i, page := range pages {
		var links []string
		for j := files[i].Messages().Len() - 1; j >= 0; j-- {
			links = append(links, link(files[i].Messages().Get(j)))
		}
		fmt.Fprintf(&w.out, "| [%s](#%s) | %s |\n", page.title, anchor(page.title), strings.Join(links, ", "))
	}
}

// file writes the messages of a file, the ones that hold others first, and then its enumerations.
func (w *writer) file(fd protoreflect.FileDescriptor) {
	for i := fd.Messages().Len() - 1; i >= 0; i-- {
		w.message(fd.Messages().Get(i))
	}
	for i := range fd.Enums().Len() {
		w.enum(fd.Enums().Get(i))
	}
}

func (w *writer) message(md protoreflect.MessageDescriptor) {
	fmt.Fprintf(&w.out, "\n### %s\n\n%s\n\n| field | type | M | Graph | meaning |\n|---|---|---|---|---|\n", md.Name(), prose(comment(md)))
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		mark, graph := "", "—"
		if w.opts.isMetadata(fd) {
			mark = "M"
		}
		if properties := w.opts.properties(fd); len(properties) > 0 {
			graph = "`" + strings.Join(properties, "`, `") + "`"
		}
		fmt.Fprintf(&w.out, "| `%s` | %s | %s | %s | %s |\n", fd.Name(), typeOf(fd), mark, cell(graph), cell(meaning(comment(fd))))
	}
}

func (w *writer) enum(ed protoreflect.EnumDescriptor) {
	fmt.Fprintf(&w.out, "\n### %s\n\n%s\n\n| value | Graph | meaning |\n|---|---|---|\n", ed.Name(), prose(comment(ed)))
	for i := range ed.Values().Len() {
		value := ed.Values().Get(i)
		graph := "—"
		if member := w.opts.graphMember(value); member != "" {
			graph = "`" + member + "`"
		}
		fmt.Fprintf(&w.out, "| `%s` | %s | %s |\n", value.Name(), graph, cell(meaning(comment(value))))
	}
}

// typeOf writes a field's type, with a link where the page has it. A field with presence says so.
func typeOf(fd protoreflect.FieldDescriptor) string {
	name := fd.Kind().String()
	switch {
	case fd.Message() != nil:
		name = link(fd.Message())
	case fd.Enum() != nil:
		name = link(fd.Enum())
	}
	switch {
	case fd.IsList():
		return "list of " + name
	case fd.HasOptionalKeyword():
		return name + ", optional"
	case fd.ContainingOneof() != nil:
		return name + ", one of `" + string(fd.ContainingOneof().Name()) + "`"
	}
	return name
}

// link refers to the heading of a message or enumeration; those of other packages are only named.
func link(d protoreflect.Descriptor) string {
	if d.ParentFile().Package() != "parley.v1" {
		return string(d.Name())
	}
	return fmt.Sprintf("[%s](#%s)", d.Name(), anchor(string(d.Name())))
}

// anchor is the fragment that renderers of Markdown give to a heading.
func anchor(title string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(title), ",", ""), " ", "-")
}

// comment returns the comment above an element in one line.
func comment(d protoreflect.Descriptor) string {
	return strings.Join(strings.Fields(d.ParentFile().SourceLocations().ByDescriptor(d).LeadingComments), " ")
}

// fileComment returns the comment above the syntax statement.
func fileComment(fd protoreflect.FileDescriptor) string {
	const syntaxField = 12 // of FileDescriptorProto
	location := fd.SourceLocations().ByPath(protoreflect.SourcePath{syntaxField})
	text := location.LeadingComments
	if len(location.LeadingDetachedComments) > 0 {
		text = location.LeadingDetachedComments[0]
	}
	return strings.Join(strings.Fields(text), " ")
}

// meaning leaves out what the column Graph says already.
func meaning(text string) string {
	if at := strings.LastIndex(text, " Graph: `"); at >= 0 {
		return text[:at]
	}
	return strings.TrimSuffix(text, " Parley's own.")
}

// prose breaks a paragraph into lines of readable width.
func prose(text string) string {
	const width = 120
	var out strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		if column > 0 && column+1+len(word) > width {
			out.WriteByte('\n')
			column = 0
		}
		if column > 0 {
			out.WriteByte(' ')
			column++
		}
		out.WriteString(word)
		column += len(word)
	}
	return out.String()
}

// cell makes a text fit into a table.
func cell(text string) string {
	return strings.ReplaceAll(text, "|", `\|`)
}
