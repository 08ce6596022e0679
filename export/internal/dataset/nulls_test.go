package dataset_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/parley-gateway/parley/export/internal/dataset"
)

// TestAbsentTextIsNull: what an event does not have is null in its column, and never an empty text.
func TestAbsentTextIsNull(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	maybe := func() string { return []string{"", "a"}[random.IntN(2)] }
	absent, found := 0, 0
	writer := dataset.NewWriter[dataset.Event](dataset.Events, dataset.Parquet, t.TempDir(), 0, func(_ context.Context, file dataset.File) error {
		found = nulls(t, file.Path)
		return nil
	})
	for range 1000 {
		row := dataset.Event{UID: "u", UserID: "u", Name: "n", Kind: "k", Run: "r", Actor: maybe(), Content: maybe(), ReplyTo: maybe(), Mentions: maybe()}
		for _, text := range []string{row.Actor, row.Content, row.ReplyTo, row.Mentions} {
			if text == "" {
				absent++
			}
		}
		if err := writer.Write(t.Context(), row, 100); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found != absent {
		t.Errorf("%d nulls, want %d", found, absent)
	}
}

// nulls counts the nulls of four columns, and holds that no text is empty.
func nulls(t *testing.T, path string) (n int) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	reader := parquet.NewReader(file)
	defer func() { _ = reader.Close() }()
	names := reader.Schema().Columns()
	rows := make([]parquet.Row, 64)
	for {
		read, err := reader.ReadRows(rows)
		for _, row := range rows[:read] {
			for _, value := range row {
				switch name := names[value.Column()][0]; {
				case value.IsNull() && (name == "actor" || name == "content" || name == "reply_to" || name == "mentions"):
					n++
				case value.Kind() == parquet.ByteArray && !value.IsNull() && len(value.ByteArray()) == 0:
					t.Fatalf("%s is an empty text", name)
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
