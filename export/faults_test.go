package export_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/gcerrors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-gateway/parley/export"
	"github.com/parley-gateway/parley/export/internal/dataset"
)

// bucket is an object store in memory that fails when it is told to.
type bucket struct {
	driver.Bucket // what the exporter does not use

	mu      sync.Mutex
	objects map[string][]byte
	left    int              // operations before all fail; negative = none fails
	fault   error            // what they fail with
	onPut   func(key string) // is called before an object is there; may be nil
}

var buckets sync.Map // by their names

var register = sync.OnceFunc(func() { blob.DefaultURLMux().RegisterBucket("faulty", opener{}) })

type opener struct{}

// OpenBucketURL implements blob.BucketURLOpener.
func (opener) OpenBucketURL(_ context.Context, u *url.URL) (*blob.Bucket, error) {
	found, _ := buckets.Load(u.Host)
	b, ok := found.(*bucket)
	if !ok {
		return nil, fmt.Errorf("there is no bucket %s", u.Host)
	}
	return blob.NewBucket(b), nil
}

// refusal is an answer of an object store.
type refusal struct {
	code gcerrors.ErrorCode
	text string
}

// GRPCStatus is there as in errors of Google Cloud Storage: they are none of the gateway.
func (r refusal) GRPCStatus() *status.Status {
	code := codes.Unavailable
	if r.code == gcerrors.PermissionDenied {
		code = codes.PermissionDenied
	}
	return status.New(code, r.text)
}

// Error implements error.
func (r refusal) Error() string { return r.text }

var errNoObject = refusal{gcerrors.NotFound, "404 NoSuchKey"}

// do counts an operation, and does it if it does not fail.
func (b *bucket) do(operation func() error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left == 0 {
		return b.fault
	}
	b.left--
	return operation()
}

// after says that all operations but the first ones fail.
func (b *bucket) after(operations int, fault error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left, b.fault = operations, fault
}

// ErrorCode implements driver.Bucket.
func (*bucket) ErrorCode(err error) gcerrors.ErrorCode {
	if r, ok := errors.AsType[refusal](err); ok {
		return r.code
	}
	return gcerrors.Unknown
}

// ErrorAs implements driver.Bucket.
func (*bucket) ErrorAs(error, any) bool { return false }

// As implements driver.Bucket.
func (*bucket) As(any) bool { return false }

// Close implements driver.Bucket.
func (*bucket) Close() error { return nil }

// Delete implements driver.Bucket.
func (b *bucket) Delete(_ context.Context, key string, _ *driver.DeleteOptions) error {
	return b.do(func() error {
		if _, there := b.objects[key]; !there {
			return errNoObject
		}
		delete(b.objects, key)
		return nil
	})
}

// ListPaged implements driver.Bucket.
func (b *bucket) ListPaged(_ context.Context, o *driver.ListOptions) (page *driver.ListPage, err error) {
	page = new(driver.ListPage)
	err = b.do(func() error {
		for key, content := range b.objects {
			if strings.HasPrefix(key, o.Prefix) {
				page.Objects = append(page.Objects, &driver.ListObject{Key: key, Size: int64(len(content))})
			}
		}
		return nil
	})
	slices.SortFunc(page.Objects, func(a, b *driver.ListObject) int { return strings.Compare(a.Key, b.Key) })
	return page, err
}

// NewRangeReader implements driver.Bucket; the exporter reads whole objects.
func (b *bucket) NewRangeReader(_ context.Context, key string, _, _ int64, _ *driver.ReaderOptions) (reader driver.Reader, err error) {
	err = b.do(func() error {
		content, there := b.objects[key]
		if !there {
			return errNoObject
		}
		reader = &object{bytes.NewReader(content)}
		return nil
	})
	return reader, err
}

type object struct{ *bytes.Reader }

// Attributes implements driver.Reader.
func (o *object) Attributes() *driver.ReaderAttributes {
	return &driver.ReaderAttributes{Size: o.Size()}
}

// As implements driver.Reader.
func (*object) As(any) bool { return false }

// Close implements driver.Reader.
func (*object) Close() error { return nil }

// NewTypedWriter implements driver.Bucket. An object is there when its writer is closed, and not before.
func (b *bucket) NewTypedWriter(ctx context.Context, key, _ string, _ *driver.WriterOptions) (driver.Writer, error) {
	return &upload{ctx: ctx, to: b, key: key}, nil
}

type upload struct {
	bytes.Buffer

	ctx context.Context
	to  *bucket
	key string
}

// Close implements driver.Writer.
func (u *upload) Close() error {
	if u.to.onPut != nil {
		u.to.onPut(u.key)
	}
	if err := u.ctx.Err(); err != nil {
		return err
	}
	return u.to.do(func() error {
		u.to.objects[u.key] = bytes.Clone(u.Bytes())
		return nil
	})
}

// folder writes the objects into a folder, so that they may be read like any export.
func (b *bucket) folder(t *testing.T) string {
	t.Helper()
	out := t.TempDir()
	for key, content := range b.objects {
		path := filepath.Join(out, filepath.FromSlash(key))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

var _ io.WriteCloser = (*upload)(nil)

// TestAFailingStoreLosesNothing: an object store that refuses, is out of order or full from any operation on ends the run as something unexpected, with
// what the store said. The same command, run again, ends with each row once, and does not read the stream again unless it was cut.
func TestAFailingStoreLosesNothing(t *testing.T) {
	t.Parallel()
	register()
	faults := []error{
		refusal{gcerrors.PermissionDenied, "403 AccessDenied"},
		refusal{gcerrors.Unknown, "503 SlowDown"},
		&os.PathError{Op: "write", Path: "object", Err: syscall.ENOSPC},
	}
	const users = 3
	g := &gateway{users: users}
	address := g.serve(t)
	round := 0
	for operations := 0; ; operations += 1 + operations/5 {
		name := fmt.Sprintf("%s-%d", strings.ToLower(t.Name()), operations)
		b := &bucket{objects: map[string][]byte{}}
		buckets.Store(name, b)
		o := options(t.TempDir())
		o.SpoolBytes = 5000
		o.Out = "faulty://" + name + "/night"
		fault := faults[round%len(faults)]
		round++
		b.after(operations, fault)
		_, err := run(t, address, o)
		if err == nil {
			if operations < 10 {
				t.Errorf("a run has %d operations alone", operations)
			}
			return
		}
		if errors.Is(err, export.ErrIncomplete) || errors.Is(err, export.ErrRefused) || errors.Is(err, export.ErrInterrupted) || !strings.Contains(err.Error(), fault.Error()) {
			t.Fatalf("after %d operations: %v, and the store said %v", operations, err, fault)
		}
		b.after(-1, nil)
		result, err := run(t, address, o)
		if err != nil || result.Outcome != "COMPLETE" {
			t.Fatalf("after %d operations, once more: %+v, %v", operations, result, err)
		}
		out := filepath.Join(b.folder(t), "night")
		m := readManifest(t, out, result.Run)
		equal(t, wantKeys(users), keys(t, rows[dataset.Event](t, out, m, dataset.Events)))
		if turns := rows[dataset.Turn](t, out, m, dataset.Turns); len(turns) != users*eventsEach/4 {
			t.Errorf("after %d operations: %d turns", operations, len(turns))
		}
		rows[dataset.User](t, out, m, dataset.Users)
		if _, err := os.Stat(filepath.Join(out, "_runs", result.Run, "_SUCCESS")); err != nil {
			t.Errorf("after %d operations: %v", operations, err)
		}
	}
}

// TestAStoreThatTakesNoFilesLosesNothing: a store that takes no files ends the run as something unexpected; once it takes them, the same command loses nothing and
// does not read the stream again.
func TestAStoreThatTakesNoFilesLosesNothing(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	o := options(out)
	o.SpoolBytes = 0 // files are made when everything was read
	// Where the folder of the night is to be, a file stands in the way.
	blocked := filepath.Join(out, "run_date="+o.End.Format(time.DateOnly))
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	g := &gateway{users: 5}
	address := g.serve(t)
	for range 2 {
		_, err := run(t, address, o)
		if err == nil || errors.Is(err, export.ErrIncomplete) || errors.Is(err, export.ErrRefused) || errors.Is(err, export.ErrInterrupted) {
			t.Fatalf("a store that refuses: %v", err)
		}
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	result, err := run(t, address, o)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, wantKeys(5), keys(t, rows[dataset.Event](t, out, readManifest(t, out, result.Run), dataset.Events)))
	if n := len(g.requests); n != 1 {
		t.Errorf("%d streams were read", n)
	}
}
