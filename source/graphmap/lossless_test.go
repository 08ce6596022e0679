package graphmap_test

import (
	"maps"
	"slices"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"pgregory.net/rapid"

	"github.com/parley-gateway/parley/source/graphmap"
)

// exceptions lists the properties that have no home in the model, as `declaringType.property`. It stays empty.
var exceptions []string

// roots are the types whose records the table maps.
var roots = []string{
	graphmap.RootChatMessage, graphmap.RootAIInteraction, graphmap.RootCallRecord,
	"chat", "conversationMember", "callRecords.session", "callRecords.segment", "callRecords.participantBase",
}

// theTable is made once for all tests.
var theTable = sync.OnceValues(graphmap.New)

func newTable(t reporter) *graphmap.Table {
	t.Helper()
	table, err := theTable()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// decodeRoot maps a record and returns the messages that stand for it, and its unmapped.
func decodeRoot(t reporter, table *graphmap.Table, root string, record []byte) ([]proto.Message, *structpb.Struct) {
	t.Helper()
	switch root {
	case "chat":
		m, err := table.Conversation(record)
		return checked(t, m, m.GetUnmapped(), err)
	case "conversationMember":
		m, extra, err := table.Member(record)
		return checked(t, m, extra, err)
	case "callRecords.session":
		m, extra, err := table.Session(record)
		return checked(t, m, extra, err)
	case "callRecords.segment":
		m, extra, err := table.Segment(record)
		return checked(t, m, extra, err)
	case "callRecords.participantBase":
		m, extra, err := table.Participant(record)
		return checked(t, m, extra, err)
	}
	event, err := table.Event(root, record)
	messages, extra := checked(t, event, event.GetUnmapped(), err)
	messages = append(messages, event.GetSource())
	for _, detail := range []proto.Message{event.GetChat(), event.GetSystem().GetMessage(), event.GetCopilot(), event.GetCall()} {
		if detail.ProtoReflect().IsValid() {
			messages = append(messages, detail)
		}
	}
	if len(messages) != 3 {
		t.Fatal(len(messages), "messages instead of event, source and one detail")
	}
	return messages, extra
}

func checked(t reporter, m proto.Message, extra *structpb.Struct, err error) ([]proto.Message, *structpb.Struct) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := proto.Marshal(m); err != nil { // invalid UTF-8, for one
		t.Fatal(err)
	}
	return []proto.Message{m}, extra
}

func generation(beta bool) string {
	if beta {
		return "beta"
	}
	return "v1.0"
}

// TestEveryPropertyIsMappedOrKept fills every property of every type, in both generations, adds undeclared ones to every
// object, and finds every value again.
func TestEveryPropertyIsMappedOrKept(t *testing.T) {
	t.Parallel()
	s, table := loadSchema(t), newTable(t)
	for _, beta := range []bool{false, true} {
		index, used, found, leaves := newIndex(), map[string]bool{}, map[string]bool{}, 0
		for _, root := range roots[:4] { // the other roots are parts of these
			for turn := range longest(s, root) {
				b := &builder{schema: s, beta: beta, used: used, pick: inTurn(turn)}
				o := b.object(root)
				messages, unmapped := decodeRoot(t, table, root, o.encode())
				f := newFinder(s, found, index)
				f.verify(t, o, unmapped, messages...)
				leaves += f.leaves
			}
		}
		declared := s.declared(beta)
		for _, property := range declared {
			if (!used[property] || !found[property]) && !slices.Contains(exceptions, property) {
				t.Errorf("%s: %s was not filled and found", generation(beta), property)
			}
		}
		t.Logf("%s: %d of %d properties, %d values found", generation(beta), len(found), len(declared), leaves)
	}
	if len(exceptions) != 0 {
		t.Errorf("exceptions: %v", exceptions)
	}
}

// scattered picks at random from one number that rapid draws, by splitmix64: hundreds of draws for one record cost much more.
func scattered(seed uint64) func(string, int) int {
	return func(_ string, n int) int {
		seed += 0x9e3779b97f4a7c15
		z := seed
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
		z = (z ^ (z >> 27)) * 0x94d049bb133111eb
		return int((z ^ (z >> 31)) % uint64(n))
	}
}

// inTurn takes the variants and members in turn, fills all properties and gives every list an element. In one turn each list has two,
// which makes a record of many nested lists many times as long; TestNothingIsLost varies the lengths with the variants.
func inTurn(turn int) func(string, int) int {
	return func(what string, n int) int {
		switch what {
		case pickVariant, pickMember, pickFraction, pickBool:
			return turn % n
		case pickLength:
			if turn == 1 {
				return 2
			}
			return 1
		case pickExtra:
			return 1
		default:
			return 0
		}
	}
}

// longest is how many turns it takes until every variant and every member below a root had its turn.
func longest(s *schema, root string) int {
	turns, visited := 0, map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if visited[name] {
			return
		}
		visited[name] = true
		turns = max(turns, len(s.members(name, true)))
		if s.Types[name] == nil {
			return
		}
		variants := s.variants(name, true)
		turns = max(turns, len(variants))
		for _, variant := range variants {
			for _, p := range s.properties(variant, true) {
				visit(p.typ)
			}
		}
	}
	visit(root)
	return turns
}

// declared lists all properties that can be reached from the roots in a generation, as `declaring.property`.
func (s *schema) declared(beta bool) []string {
	found, visited := map[string]bool{}, map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if visited[name] || s.Types[name] == nil {
			return
		}
		visited[name] = true
		for _, variant := range s.variants(name, beta) {
			for _, p := range s.properties(variant, beta) {
				found[p.declaring+"."+p.name] = true
				visit(p.typ)
			}
		}
	}
	for _, root := range roots {
		visit(root)
	}
	return slices.Sorted(maps.Keys(found))
}

// TestNothingIsLost builds records at random: properties left out or null, lists of any length, undeclared properties,
// unknown derived types and unknown members.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	s, table := loadSchema(t), newTable(t)
	for name, some := range map[string][]string{"events": roots[:3], "others": roots[3:]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			index := newIndex()
			rapid.Check(t, func(t *rapid.T) {
				root := rapid.SampledFrom(some).Draw(t, "root")
				b := &builder{schema: s, beta: rapid.Bool().Draw(t, "beta"), used: map[string]bool{}, pick: scattered(rapid.Uint64().Draw(t, "seed"))}
				o := b.object(root)
				messages, unmapped := decodeRoot(t, table, root, o.encode())
				newFinder(s, map[string]bool{}, index).verify(t, o, unmapped, messages...)
			})
		})
	}
}
