package parley_test

import (
	stdcmp "cmp"
	"regexp"
	"slices"
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
)

// derivedSuffixes are what generators append to a field's name for accessors of their own: a field `x` beside a field with
// one of these endings does not compile in Java, Kotlin, C++ or C#.
var derivedSuffixes = []string{"bytes", "builder", "builder_list", "case", "count", "list", "map", "or_builder", "size", "value"}

// reservedWords are words that a mainstream language keeps for itself and its generator does not escape, or escapes into a
// name that users trip over.
var reservedWords = strings.Fields(`
	abstract and as assert async await base begin bool boolean break byte case catch char checked class clone const continue
	debugger decimal def default defer del delegate do double echo elif else empty end ensure enum eval except exec explicit
	export extends extern finally fixed float fn for foreach from func function global goto hash if impl implements implicit
	import in init instanceof int interface internal is lambda let lock long loop match mod module move mut namespace native
	new nil none nonlocal not null object operator or out override package params pass pub raise readonly redo ref register
	rescue retry return sealed self short sizeof static string struct super switch this throw throws trait transient try
	typealias typedef typeof undef union unless unsafe until use using val var virtual void volatile when where while with
	yield`)

// eachFile calls visit for every file of the contract.
func eachFile(t *testing.T, visit func(protoreflect.FileDescriptor)) {
	t.Helper()
	files := 0
	protoregistry.GlobalFiles.RangeFilesByPackage("parley.v1", func(file protoreflect.FileDescriptor) bool {
		files++
		visit(file)
		return true
	})
	if files < 10 {
		t.Fatalf("the contract has %d files", files)
	}
}

// eachMessage calls visit for every message of a file or message, nested ones too.
func eachMessage(in interface {
	Messages() protoreflect.MessageDescriptors
}, visit func(protoreflect.MessageDescriptor),
) {
	for i := range in.Messages().Len() {
		message := in.Messages().Get(i)
		if message.IsMapEntry() {
			continue
		}
		visit(message)
		eachMessage(message, visit)
	}
}

// TestFieldNamesCompileEverywhere holds that no field's name clashes with an accessor that a generator derives from a
// neighbour's name, or with a word of a language.
func TestFieldNamesCompileEverywhere(t *testing.T) {
	t.Parallel()
	eachFile(t, func(file protoreflect.FileDescriptor) {
		eachMessage(file, func(message protoreflect.MessageDescriptor) {
			for i := range message.Fields().Len() {
				field := message.Fields().Get(i)
				name := string(field.Name())
				if slices.Contains(reservedWords, name) {
					t.Errorf("%s: a reserved word", field.FullName())
				}
				for _, suffix := range derivedSuffixes {
					if suffix == "size" && !field.IsList() && !field.IsMap() {
						continue // only collections get a size
					}
					if message.Fields().ByName(protoreflect.Name(name+"_"+suffix)) != nil {
						t.Errorf("%s: generators derive %s_%s from it, which is a field too", field.FullName(), name, suffix)
					}
				}
			}
			for i := range message.Oneofs().Len() {
				oneof := message.Oneofs().Get(i)
				if name := oneof.Name(); !oneof.IsSynthetic() && message.Fields().ByName(name+"_case") != nil {
					t.Errorf("%s: generators derive %s_case from it, which is a field too", oneof.FullName(), name)
				}
			}
		})
	})
}

// TestFilesNameTheirPackages holds that each file says where its code lives in languages whose default would be unusable:
// Java's default package has no domain, and its outer classes would hide java.lang.System.
func TestFilesNameTheirPackages(t *testing.T) {
	t.Parallel()
	eachFile(t, func(file protoreflect.FileDescriptor) {
		options, _ := file.Options().(*descriptorpb.FileOptions)
		for option, value := range map[string]string{
			"csharp_namespace":     options.GetCsharpNamespace(),
			"go_package":           options.GetGoPackage(),
			"java_outer_classname": options.GetJavaOuterClassname(),
			"java_package":         options.GetJavaPackage(),
			"objc_class_prefix":    options.GetObjcClassPrefix(),
			"php_namespace":        options.GetPhpNamespace(),
			"ruby_package":         options.GetRubyPackage(),
			"swift_prefix":         options.GetSwiftPrefix(),
		} {
			if value == "" {
				t.Errorf("%s has no %s", file.Path(), option)
			}
		}
		if !options.GetJavaMultipleFiles() {
			t.Errorf("%s: java_multiple_files is off", file.Path())
		}
		if outer := options.GetJavaOuterClassname(); !strings.HasSuffix(outer, "Proto") {
			t.Errorf("%s: the outer class %s may be named like a message", file.Path(), outer)
		}
	})
}

// TestResourceTypes holds that resource types have the form of AIP-123: a service name without a version, a slash, the
// message's name; with the singular and the plural.
func TestResourceTypes(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+/[A-Z][A-Za-z0-9]*$`)
	found := 0
	eachFile(t, func(file protoreflect.FileDescriptor) {
		eachMessage(file, func(message protoreflect.MessageDescriptor) {
			if !proto.HasExtension(message.Options(), annotations.E_Resource) {
				return
			}
			found++
			resource, _ := proto.GetExtension(message.Options(), annotations.E_Resource).(*annotations.ResourceDescriptor)
			service, name, _ := strings.Cut(resource.GetType(), "/")
			if !form.MatchString(resource.GetType()) || regexp.MustCompile(`\.v\d`).MatchString(service) {
				t.Errorf("%s: type %q", message.FullName(), resource.GetType())
			}
			if name != string(message.Name()) || resource.GetSingular() == "" || resource.GetPlural() == "" {
				t.Errorf("%s: type %q, singular %q, plural %q", message.FullName(), resource.GetType(), resource.GetSingular(), resource.GetPlural())
			}
		})
	})
	if found < 3 {
		t.Errorf("%d resources", found)
	}
}

// TestEventsOfEverySourceAreCounted holds that timeline.SourceCounts has a place for each source of events: it drops the counts of
// a source behind its last one.
func TestEventsOfEverySourceAreCounted(t *testing.T) {
	t.Parallel()
	last := slices.Max(source.EventSources())
	if places := len(timeline.SourceCounts{}); int(last) >= places {
		t.Errorf("timeline.SourceCounts has %d places, so none for %v", places, last)
	}
}

// TestRequestsTakeEverySource holds that the rules of the sources which requests may name list every source of events; those of lists of
// conversations the sources that need not be named, and the list of chats.
func TestRequestsTakeEverySource(t *testing.T) {
	t.Parallel()
	sources := source.EventSources()
	numbers := func(sources []parleyv1.Source) []int32 {
		list := make([]int32, 0, len(sources))
		for _, src := range sources {
			list = append(list, int32(src))
		}
		return list
	}
	ofEvents := numbers(sources)
	ofConversations := numbers(append(source.WithoutOptIn(sources), parleyv1.Source_SOURCE_CONVERSATION))
	requests := 0
	eachFile(t, func(file protoreflect.FileDescriptor) {
		eachMessage(file, func(message protoreflect.MessageDescriptor) {
			field := message.Fields().ByName("sources")
			if field == nil || !strings.HasSuffix(string(message.Name()), "Request") {
				return
			}
			requests++
			want := ofEvents
			if strings.HasSuffix(string(message.Name()), "ConversationsRequest") {
				want = ofConversations
			}
			rules, ok := proto.GetExtension(field.Options(), validate.E_Field).(*validate.FieldRules)
			if !ok {
				t.Fatalf("%s has no rules", field.FullName())
			}
			if diff := cmp.Diff(want, rules.GetRepeated().GetItems().GetEnum().GetIn(), cmpopts.SortSlices(stdcmp.Less[int32])); diff != "" {
				t.Errorf("%s (-sources of events +rule):\n%s", field.FullName(), diff)
			}
		})
	})
	if requests < 2 {
		t.Errorf("%d requests with sources", requests)
	}
}
