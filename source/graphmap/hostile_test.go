package graphmap_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source/graphmap"
)

// hostileMax is the most bytes that a record of hostileSize bytes may allocate.
const hostileMax = 32 << 20

// hostileRecord is a record of hostileSize bytes that would take a multiple of it.
type hostileRecord struct{ name, root, record string }

func hostileRecords() []hostileRecord {
	fill := func(s string) string { return strings.Repeat(s, hostileSize/len(s)) }
	each := func(format string) string {
		var b strings.Builder
		for i := 0; b.Len() < hostileSize; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	chat, call, copilot := graphmap.RootChatMessage, graphmap.RootCallRecord, graphmap.RootAIInteraction
	return []hostileRecord{
		{"undeclared numbers", chat, `{"x":[` + fill("0,") + `0]}`},
		{"undeclared objects", chat, `{"x":[` + fill("{},") + `0]}`},
		{"undeclared lists", copilot, `{"x":[` + fill("[],") + `0]}`},
		{"undeclared texts", call, `{"x":[` + fill(`"a",`) + `0]}`},
		{"undeclared members", chat, `{` + each(`"%d":0,`) + `"a":0}`},
		{"one member again and again", chat, `{` + fill(`"a":0,`) + `"a":0}`},
		{"members of an undeclared object", chat, `{"x":{` + each(`"%d":0,`) + `"a":0}}`},
		{"known and unknown members", chat, `{` + fill(`"a":0,"id":"1",`) + `"a":0}`},
		{"deep lists", chat, `{"x":` + strings.Repeat("[", 50) + fill("[0],") + `0` + strings.Repeat("]", 50) + `}`},
		{"objects in lists", chat, `{"x":[` + fill(`{"a":{"b":0}},`) + `0]}`},
		{"empty attachments", chat, `{"attachments":[` + fill("{},") + `{}]}`},
		{"attachments that are numbers", chat, `{"attachments":[` + fill("0,") + `{}]}`},
		{"empty mentions", copilot, `{"mentions":[` + fill("{},") + `{}]}`},
		{"reactions", chat, `{"reactions":[` + fill(`{"user":{"user":{}}},`) + `{}]}`},
		{"roles", chat, `{"eventDetail":{"conversationMemberRoles":[` + fill(`"a",`) + `"b"]}}`},
		{"members", chat, `{"eventDetail":{"members":[` + fill(`{"id":"a"},`) + `{}]}}`},
		{"modalities", call, `{"modalities":[` + fill(`"audio",`) + `"video"]}`},
		{"unknown modalities", call, `{"modalities":[` + fill(`"a",`) + `"video"]}`},
		{"sessions", call, `{"sessions":[` + fill(`{"segments":[{}]},`) + `{}]}`},
		{"streams", call, `{"sessions":[{"segments":[{"media":[{"streams":[` + fill(`{},`) + `{}]}]}]}]}`},
		{"long text", chat, `{"body":{"content":"` + fill(`\n`) + `"}}`},
		{"long name", chat, `{"` + fill(`\n`) + `":0}`},
		{"escapes that are no characters", chat, `{"subject":"` + fill(`\ud800`) + `"}`},
		{"invalid UTF-8", chat, `{"x":["` + fill("\xff") + `"]}`},
		{"periods", "usage", `{"copilotActivityUserDetailsByPeriod":[` + fill("{},") + `{}]}`},
	}
}

// mapHostile maps the record as pages are mapped, and returns a function that gives a message or two to look at.
func mapHostile(table *graphmap.Table, r hostileRecord) (look func() (proto.Message, error), err error) {
	if r.root == "usage" {
		rows, err := table.UsageRows([]byte(r.record))
		return func() (proto.Message, error) { return rows[0], nil }, err
	}
	draft, err := table.Draft(r.root, []byte(r.record))
	if err != nil {
		return nil, err
	}
	defer draft.Release()
	basic, unmapped := draft.Encode()
	return func() (proto.Message, error) {
		event := &parleyv1.Event{}
		err := proto.Unmarshal(slices.Concat(basic, unmapped), event)
		return event, err
	}, nil
}

// TestHostileRecordsTakeBoundedMemory shows that 4 MiB of any record allocate at most 32 MiB, all told. It is not parallel: parallel tests
// wait until it is done, so the count is its own.
//
//nolint:paralleltest // counts the allocations of the whole process
func TestHostileRecordsTakeBoundedMemory(t *testing.T) {
	table := newTable(t)
	for _, r := range hostileRecords() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		look, err := mapHostile(table, r)
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
			continue
		}
		if n := after.TotalAlloc - before.TotalAlloc - uint64(len(r.record)); n > hostileMax { // the record itself was copied
			t.Errorf("%s: allocated %.1f MiB", r.name, float64(n)/(1<<20))
		}
		m, err := look()
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
			continue
		}
		if _, err := proto.Marshal(m); err != nil {
			t.Errorf("%s: %v", r.name, err)
		}
	}
}

// BenchmarkHostileRecords fails if a record takes more than a second.
func BenchmarkHostileRecords(b *testing.B) {
	table := newTable(b)
	for _, r := range hostileRecords() {
		b.Run(r.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := mapHostile(table, r); err != nil {
					b.Fatal(err)
				}
			}
			if b.Elapsed() > time.Duration(b.N)*time.Second {
				b.Errorf("%v for each", b.Elapsed()/time.Duration(b.N))
			}
		})
	}
}

// TestUnmappedPropertiesAreKept counts what a hostile record holds: as elements, and in the texts that the rest is kept in.
func TestUnmappedPropertiesAreKept(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	const many = 40_000
	list := func(element string) string { return strings.Repeat(element+", ", many-1) + element }
	count := func(v *structpb.Value) int {
		var rest []any
		if err := json.Unmarshal([]byte(v.GetStringValue()), &rest); err != nil {
			t.Errorf("%v in %.100s", err, v.GetStringValue())
		}
		return len(rest)
	}
	event, err := table.Event(graphmap.RootChatMessage, []byte(`{"attachments":[`+list("{}")+`],"id":"1","x":{"y":0},"x":"last"}`))
	if err != nil {
		t.Fatal(err)
	}
	had := len(event.GetAttachments())
	rest := event.GetUnmapped().GetFields()["attachments"].GetStructValue().GetFields()[strconv.Itoa(had)]
	if had < 1000 || had+count(rest) != many {
		t.Errorf("%d attachments and %d left of %d", had, count(rest), many)
	}
	if event.GetSource().GetId() != "1" {
		t.Error("a known property behind the list is lost")
	}
	if got := event.GetUnmapped().GetFields()["…"].GetStringValue(); got != `{"x":{"y":0},"x":"last"}` {
		t.Errorf("undeclared members behind the list: %s", got)
	}

	event, err = table.Event(graphmap.RootChatMessage, []byte(`{"x":[`+list("0")+`],"id":"1"}`))
	if err != nil {
		t.Fatal(err)
	}
	values := event.GetUnmapped().GetFields()["x"].GetListValue().GetValues()
	if last := len(values) - 1; last < 1000 || last+count(values[last]) != many || event.GetSource().GetId() != "1" {
		t.Errorf("%d values and %d left of %d", last, count(values[last]), many)
	}
}
