package dataset

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"os"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// Formats of files; each is the ending of their names, too.
const (
	Parquet = "parquet"
	NDJSON  = "ndjson"
)

// MaxFile is the size that no file passes: a file ends before the next group of rows could.
const MaxFile = 128 << 20

const (
	groupBytes = 8 << 20 // of the rows that a writer holds in memory
	fileBytes  = MaxFile - 3*groupBytes
)

// RowSize returns about how many bytes of memory a row takes that is made of a message of so many bytes.
func RowSize(wire int) int { return 512 + 2*wire }

// File is a finished file in the scratch folder.
type File struct {
	Dataset string
	Path    string
	Rows    int64
	Bytes   int64
	SHA256  string
}

// StoreFunc moves a finished file from the scratch folder to the export. Writer.Write and Close return its error.
type StoreFunc func(ctx context.Context, file File) error

// Writer writes the rows of one dataset into files of bounded size. It holds one group of rows in memory.
type Writer[T any] struct {
	dataset, format, folder string
	store                   StoreFunc
	limit                   int64 // bytes after which a file ends

	file    *os.File
	counted *counter // of file
	rows    rowWriter[T]
	one     [1]T  // row that is being written
	written int64 // rows of the file
	group   int   // bytes of the rows since the last group
}

// rowWriter writes rows in one format.
type rowWriter[T any] interface {
	Write(rows []T) (int, error)
	Flush() error
	Close() error
}

// NewWriter returns a writer that makes its files in a folder and gives each one, when it is whole, to store. A file ends after the group of
// rows with which it has limit bytes; 0 = as many as MaxFile allows.
func NewWriter[T any](dataset, format, folder string, limit int64, store StoreFunc) *Writer[T] {
	if limit == 0 {
		limit = fileBytes
	}
	return &Writer[T]{dataset: dataset, format: format, folder: folder, limit: limit, store: store}
}

// Write adds a row of about so many bytes in memory.
func (w *Writer[T]) Write(ctx context.Context, row T, size int) error {
	if w.file == nil {
		if err := w.open(); err != nil {
			return err
		}
	}
	// One row at a time: of several rows, parquet-go takes some nulls of optional columns for empty strings.
	w.one[0] = row
	if _, err := w.rows.Write(w.one[:]); err != nil {
		return err
	}
	w.written++
	if w.group += size; w.group < groupBytes && int64(w.group) < w.limit {
		return nil
	}
	w.group = 0
	if err := w.rows.Flush(); err != nil {
		return err
	}
	if w.counted.bytes < w.limit {
		return nil
	}
	return w.Close(ctx)
}

func (w *Writer[T]) open() error {
	file, err := os.CreateTemp(w.folder, w.dataset+"-*")
	if err != nil {
		return err
	}
	w.file, w.counted = file, &counter{to: file, sum: sha256.New()}
	if w.format == NDJSON {
		w.rows = newLines[T](w.counted)
		return nil
	}
	w.rows = parquet.NewGenericWriter[T](w.counted,
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}),
		parquet.CreatedBy("parley-export", "", ""),
		parquet.KeyValueMetadata("schema_version", strconv.Itoa(SchemaVersion)),
		parquet.KeyValueMetadata("dataset", w.dataset),
	)
	return nil
}

// Close finishes the file, if there is one, and stores it. Another Write begins another file.
func (w *Writer[T]) Close(ctx context.Context) error {
	if w.file == nil {
		return nil
	}
	err := errors.Join(w.rows.Close(), w.file.Sync(), w.file.Close())
	done := File{Dataset: w.dataset, Path: w.file.Name(), Rows: w.written, Bytes: w.counted.bytes, SHA256: hex.EncodeToString(w.counted.sum.Sum(nil))}
	w.file, w.written, w.group = nil, 0, 0
	if err != nil {
		return err
	}
	return w.store(ctx, done)
}

// Abandon closes and removes the file that Close has not finished, if there is one.
func (w *Writer[T]) Abandon() {
	if w.file != nil {
		_ = w.file.Close()
		_ = os.Remove(w.file.Name())
		w.file = nil
	}
}

// counter counts the bytes that are written to a file, and makes their hash.
type counter struct {
	to    io.Writer
	sum   hash.Hash
	bytes int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.bytes += int64(n)
	c.sum.Write(p[:n])
	return n, err
}

// lines writes rows as JSON, one a line.
type lines[T any] struct {
	buffered *bufio.Writer
	encoder  *json.Encoder
}

func newLines[T any](to io.Writer) *lines[T] {
	buffered := bufio.NewWriterSize(to, 1<<16)
	encoder := json.NewEncoder(buffered)
	encoder.SetEscapeHTML(false)
	return &lines[T]{buffered, encoder}
}

// Write writes a line for each row.
func (l *lines[T]) Write(rows []T) (int, error) {
	for i := range rows {
		if err := l.encoder.Encode(&rows[i]); err != nil {
			return i, err
		}
	}
	return len(rows), nil
}

// Flush hands over what is buffered.
func (l *lines[T]) Flush() error { return l.buffered.Flush() }

// Close is Flush: the file is closed by its owner.
func (l *lines[T]) Close() error { return l.Flush() }
