package dataset_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

	"github.com/parley-gateway/parley/export/internal/dataset"
)

// TestTimesOutOfRangeAreNull writes calls at the ends of the time that files can have, and beyond them. One such time is null, and everything else
// of its row is there.
func TestTimesOutOfRangeAreNull(t *testing.T) {
	t.Parallel()
	const first, last = -62135596800, 253402300799 // seconds of the years 1 to 9999
	for name, c := range map[string]struct {
		seconds int64
		want    string // null = empty
		day     string
	}{
		"the first second": {first, "0001-01-01T00:00:00Z", "0001-01-01"},
		"before it":        {first - 1, "", ""},
		"the last second":  {last, "9999-12-31T23:59:59Z", "9999-12-31"},
		"after it":         {last + 1, "", ""},
		"long after it":    {1<<63 - 1, "", ""},
	} {
		at := &timestamppb.Timestamp{Seconds: c.seconds}
		content, err := proto.Marshal(&parleyv1.Event{
			Uid: "u", Name: "n", EventTime: at, Detail: &parleyv1.Event_Call{Call: &parleyv1.CallDetail{StartTime: at, RecordVersion: new(int64(7))}},
		})
		if err != nil {
			t.Fatal(err)
		}
		reader := dataset.NewReader("run")
		if err := reader.Read(content); err != nil {
			t.Fatal(err)
		}
		row, err := reader.EventRow()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		line := string(written(t, dataset.NDJSON, row))
		if len(written(t, dataset.Parquet, row)) == 0 {
			t.Errorf("%s: no Parquet file", name)
		}
		var got struct {
			EventTime string `json:"event_time"`
			EventDate string `json:"event_date"`
			CallStart string `json:"call_start_time"`
			Detail    string `json:"detail"`
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%s: %v: %s", name, err, line)
		}
		want := got
		want.EventTime, want.EventDate, want.CallStart, want.Detail = c.want, c.day, c.want, `{"startTime":null,"recordVersion":"7"}`
		if c.want != "" {
			want.Detail = `{"startTime":"` + c.want + `","recordVersion":"7"}`
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s, want (-) and got (+):\n%s", name, diff)
		}
	}
}

// written is the file of one row.
func written(t *testing.T, format string, row dataset.Event) (content []byte) {
	t.Helper()
	writer := dataset.NewWriter[dataset.Event](dataset.Events, format, t.TempDir(), 0, func(_ context.Context, file dataset.File) (err error) {
		content, err = os.ReadFile(file.Path)
		return err
	})
	if err := writer.Write(t.Context(), row, 100); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return content
}
