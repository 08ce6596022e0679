package wirejson_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/parley-gateway/parley/eventwire/wirejson"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// events are the golden events of the sources, and some at the edges.
func events(tb testing.TB) []*parleyv1.Event {
	tb.Helper()
	paths, err := filepath.Glob("../../source/graphmap/testdata/golden/*.json")
	if err != nil || len(paths) == 0 {
		tb.Fatalf("no golden files: %v", err)
	}
	var all []*parleyv1.Event
	add := func(raw []byte) {
		e := &parleyv1.Event{}
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(raw, e); err != nil {
			tb.Fatal(err)
		}
		all = append(all, e)
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		add(eventIn(tb, raw))
	}
	add([]byte(`{}`))
	add([]byte(`{"name":"a\"\\\b\f\n\r\t\u0001\u007f\u2028ü😀</script>","version":"-5","kind":"EVENT_KIND_CALL","createTime":"0001-01-01T00:00:00.000001Z","editTime":"9999-12-31T23:59:59.999999999Z","mentions":[{"id":0},{"id":-7},{}],"truncatedFields":["","x"],"outOfWindow":true,"call":{"modalities":["MODALITY_AUDIO","MODALITY_VIDEO"],"modalitiesOther":["smell"],"recordVersion":"0","sessions":[{"isTest":false}]}}`))
	all = append(all, &parleyv1.Event{Kind: 99, Source: &parleyv1.EventSource{}})
	return all
}

// sameJSON checks that the bytes of an event become what the event becomes, behind nothing and behind something.
func sameJSON(t *testing.T, encoder *wirejson.Encoder, e *parleyv1.Event) {
	t.Helper()
	raw, err := proto.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, before := range []string{"", "x"} {
		want, err := wirejson.Append([]byte(before), e)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := encoder.Append([]byte(before), raw); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v\n got %s\nwant %s", err, got, want)
		}
	}
}

func TestEncoder(t *testing.T) {
	t.Parallel()
	encoder := wirejson.NewEncoder((&parleyv1.Event{}).ProtoReflect().Type())
	for _, e := range events(t) {
		sameJSON(t, encoder, e)
	}
	if _, err := encoder.Append(nil, []byte{0xff}); err == nil {
		t.Error("bytes that are no message")
	}
}

// FuzzWire compares the JSON of any bytes that are an event with that of the message.
func FuzzWire(f *testing.F) {
	for _, e := range events(f) {
		raw, err := proto.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	encoder := wirejson.NewEncoder((&parleyv1.Event{}).ProtoReflect().Type())
	f.Fuzz(func(t *testing.T, raw []byte) {
		e := &parleyv1.Event{}
		if proto.Unmarshal(raw, e) != nil {
			if got, err := encoder.Append(nil, raw); err == nil {
				t.Fatalf("%x is no event, but %s", raw, got)
			}
			return
		}
		want, wrong := wirejson.Append(nil, e)
		got, err := encoder.Append(nil, raw)
		if (err != nil) != (wrong != nil) || err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%x: %v, %v\n got %s\nwant %s", raw, err, wrong, got, want)
		}
	})
}

// eventIn is the event of a golden file.
func eventIn(tb testing.TB, raw []byte) []byte {
	tb.Helper()
	var golden struct {
		Event json.RawMessage `json:"event"`
	}
	if err := json.Unmarshal(raw, &golden); err != nil {
		tb.Fatal(err)
	}
	return golden.Event
}

// TestTexts puts each odd byte at each place of a text that is read eight bytes at a time.
func TestTexts(t *testing.T) {
	t.Parallel()
	encoder := wirejson.NewEncoder((&parleyv1.Event{}).ProtoReflect().Type())
	for place := range 20 {
		for _, odd := range []string{"\"", "\\", "\n", "\x00", "\x1f", " ", "\x7f", "ü", "\u2028", "!", "\"\"", "\\\x01\"", "[", "]", "#"} {
			sameJSON(t, encoder, &parleyv1.Event{Name: "abcdefghijklmnopqrst"[:place] + odd + "uvwxyzabc"})
		}
	}
}

func TestStamps(t *testing.T) {
	t.Parallel()
	encoder := wirejson.NewEncoder((&parleyv1.Event{}).ProtoReflect().Type())
	for _, seconds := range []int64{-62135596800, -1, 0, 1, 951782399, 951782400, 1790000000, 253402300799} {
		for _, nanos := range []int32{0, 1, 10, 999, 1000, 1001, 120_000, 1_000_000, 1_000_001, 120_000_000, 123_456_789, 999_999_999} {
			sameJSON(t, encoder, &parleyv1.Event{EventTime: &timestamppb.Timestamp{Seconds: seconds, Nanos: nanos}})
		}
	}
}
