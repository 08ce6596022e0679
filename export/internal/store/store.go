// Package store reads and writes the files of an export in the place that its user names: a folder, or a bucket of S3, Google or Azure.
// Names and bytes enter. A file appears under its name only when it is whole; in a folder it is written under `_tmp-` until then.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/gcerrors"
)

// scratch begins the names of folders of files that are not whole, one for each owner. Readers of tables pass over names that begin with
// an underscore.
const scratch = "_tmp-"

// Store is a folder or a bucket.
type Store struct {
	bucket *blob.Bucket
	folder string // empty for a bucket
}

// Error is a failure of the place of an export. It may look like one of the gateway: errors of some object stores have a gRPC status.
type Error struct{ err error }

// Error implements error.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns what the place said.
func (e *Error) Unwrap() error { return e.err }

// failed returns an Error.
func failed(format string, args ...any) error { return &Error{fmt.Errorf(format, args...)} }

// Folder returns the path of a place that is a folder of this machine; ok is false for a bucket.
func Folder(place string) (folder string, ok bool) {
	if !strings.Contains(place, "://") {
		return place, true
	}
	if at, err := url.Parse(place); err == nil && at.Scheme == fileblob.Scheme {
		return filepath.FromSlash(at.Path), true
	}
	return "", false
}

// Open opens a folder, which is made if need be, or a bucket: s3://, gs:// or azblob://, with a path as the prefix of all names.
func Open(ctx context.Context, place string) (*Store, error) {
	if folder, ok := Folder(place); ok {
		folder, err := filepath.Abs(folder)
		if err != nil {
			return nil, err
		}
		bucket, err := fileblob.OpenBucket(folder, &fileblob.Options{CreateDir: true, NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
		if err != nil {
			return nil, fmt.Errorf("opening %s: %w", folder, err)
		}
		return &Store{bucket: bucket, folder: folder}, nil
	}
	at, err := url.Parse(place)
	if err != nil {
		return nil, fmt.Errorf("opening the place of the export: %w", err)
	}
	prefix := strings.Trim(at.Path, "/")
	at.Path = ""
	bucket, err := blob.OpenBucket(ctx, at.String())
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", at.Redacted(), err)
	}
	if prefix != "" {
		bucket = blob.PrefixedBucket(bucket, prefix+"/")
	}
	return &Store{bucket: bucket}, nil
}

// Close releases the connections.
func (s *Store) Close() error { return s.bucket.Close() }

// Put writes a whole object: a reader of the name finds all of it, or what was there before. The owner names the folder of unfinished files:
// writers that may run at the same time have different owners.
func (s *Store) Put(ctx context.Context, owner, name string, content io.Reader) error {
	if s.folder == "" {
		if err := s.bucket.Upload(ctx, name, content, &blob.WriterOptions{ContentType: "application/octet-stream"}); err != nil {
			return failed("writing %s: %w", name, err)
		}
		return nil
	}
	temporary := path.Join(scratch+owner, path.Base(name))
	if err := s.bucket.Upload(ctx, temporary, content, &blob.WriterOptions{ContentType: "application/octet-stream"}); err != nil {
		return failed("writing %s: %w", name, err)
	}
	target := filepath.Join(s.folder, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil { //nolint:gosec // who may read the export is the operator's matter, by umask
		return failed("writing %s: %w", name, err)
	}
	if err := os.Rename(filepath.Join(s.folder, filepath.FromSlash(temporary)), target); err != nil {
		return failed("writing %s: %w", name, err)
	}
	return nil
}

// PutFile puts the content of a file of this machine, which stays.
func (s *Store) PutFile(ctx context.Context, owner, name, file string) error {
	content, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	return s.Put(ctx, owner, name, content)
}

// Clean removes the unfinished files of an owner.
func (s *Store) Clean(owner string) error {
	if s.folder == "" {
		return nil
	}
	return os.RemoveAll(filepath.Join(s.folder, scratch+owner))
}

// Read opens an object. The error of one that is not there is fs.ErrNotExist.
func (s *Store) Read(ctx context.Context, name string) (io.ReadCloser, error) {
	reader, err := s.bucket.NewReader(ctx, name, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, failed("reading %s: %w", name, os.ErrNotExist)
	}
	if err != nil {
		return nil, failed("reading %s: %w", name, err)
	}
	return reader, nil
}

// Delete removes an object; one that is not there is no error.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := s.bucket.Delete(ctx, name); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return failed("removing %s: %w", name, err)
	}
	return nil
}

// List returns the names that begin with a prefix.
func (s *Store) List(ctx context.Context, prefix string) ([]string, error) {
	var names []string
	objects := s.bucket.List(&blob.ListOptions{Prefix: prefix})
	for {
		object, err := objects.Next(ctx)
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil {
			return nil, failed("listing %s: %w", prefix, err)
		}
		names = append(names, object.Key)
	}
}
