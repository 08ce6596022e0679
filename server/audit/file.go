package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// lookEvery is the least time between two looks whether the file was rotated.
	lookEvery = time.Second
	// syncEvery is the least time between two writes through to the disk.
	syncEvery = time.Second
)

// File is a sink into a file that is only ever appended to.
//
// A record is handed to the operating system, whole and in one write, before Write returns: it outlives the process. It is
// written through to the disk with the first record a second later and at Close, so a loss of power may cost the
// records of the last seconds. When another file stands at the path, or none (a rotation), the next record opens it anew;
// a record is never written to a file that was moved away a second before.
type File struct {
	path string
	now  func() time.Time

	mu             sync.Mutex
	file           *os.File
	looked, synced time.Time
	closed         bool
}

var _ Sink = (*File)(nil)

// OpenFile opens or creates a file for its owner alone: one that others may read is made unreadable for them. A symbolic link
// is not followed, since whoever may put one there would choose where the records go. Now nil = time.Now.
func OpenFile(path string, now func() time.Time) (*File, error) {
	if now == nil {
		now = time.Now
	}
	f := &File{path: path, now: now}
	if err := f.open(); err != nil {
		return nil, err
	}
	f.looked, f.synced = now(), now()
	return f, nil
}

// MayOpen returns why OpenFile would fail, as far as that is known without creating or changing the file.
func MayOpen(path string) error {
	f := &File{path: path}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		folder := filepath.Dir(path)
		if info, err = os.Stat(folder); err == nil && !info.IsDir() {
			err = errors.New("is not a folder")
		}
		if failed, ok := errors.AsType[*fs.PathError](err); ok {
			err = failed.Err
		}
		if err != nil {
			return fmt.Errorf("audit: the folder %s: %w", folder, err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("audit: %w", err)
	case info.Mode()&os.ModeSymlink != 0:
		return f.isLink()
	case info.IsDir():
		return f.isFolder()
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|openFlags, 0)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return file.Close()
}

func (f *File) isLink() error {
	return fmt.Errorf("audit: %s is a symbolic link, which is not followed; name the file itself", f.path)
}

func (f *File) isFolder() error { return fmt.Errorf("audit: %s is a folder", f.path) }

func (f *File) open() error {
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|openFlags, 0o600)
	if err != nil {
		if info, errLink := os.Lstat(f.path); errLink == nil && info.Mode()&os.ModeSymlink != 0 {
			return f.isLink()
		}
		return fmt.Errorf("audit: %w", err)
	}
	if err := f.restrict(file); err != nil {
		return errors.Join(err, file.Close())
	}
	f.file = file
	return nil
}

// restrict refuses a file that cannot take records, and takes the right to read or change it from everybody but its owner.
func (f *File) restrict(file *os.File) error {
	info, err := file.Stat()
	switch {
	case err != nil:
		return fmt.Errorf("audit: %w", err)
	case info.IsDir():
		return f.isFolder()
	case info.Mode().IsRegular() && info.Mode().Perm() != 0o600:
		if err := file.Chmod(0o600); err != nil {
			return fmt.Errorf("audit: others may read or change %s, and that cannot be taken from them: %w", f.path, err)
		}
	}
	return nil
}

// Write appends records.
func (f *File) Write(line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, errClosed
	}
	now := f.now()
	if now.Sub(f.looked) >= lookEvery {
		if err := f.reopenIfRotated(); err != nil {
			return 0, err
		}
		f.looked = now
	}
	n, err := f.file.Write(line)
	if err == nil && now.Sub(f.synced) >= syncEvery {
		f.synced = now
		// Pipes and terminals cannot be synchronized; that is no lost record.
		if err = f.file.Sync(); errors.Is(err, os.ErrInvalid) || !f.isRegular() {
			err = nil
		}
	}
	return n, err
}

func (f *File) isRegular() bool {
	info, err := f.file.Stat()
	return err == nil && info.Mode().IsRegular()
}

// reopenIfRotated opens the path anew when another file, or none, stands there.
func (f *File) reopenIfRotated() error {
	there, err := os.Lstat(f.path)
	if err == nil {
		have, err := f.file.Stat()
		if err == nil && os.SameFile(there, have) {
			return nil
		}
	}
	old := f.file
	if err := f.open(); err != nil {
		return err
	}
	// If the old file cannot be written through, records may be lost, and the call that learns of it fails.
	return f.syncAndClose(old)
}

// syncAndClose writes a file through and closes it.
func (f *File) syncAndClose(file *os.File) error {
	info, err := file.Stat()
	if err == nil && info.Mode().IsRegular() {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// Close writes the file through and closes it.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	return f.syncAndClose(f.file)
}

// Stream is a sink into a writer that stays open, such as standard error.
type Stream struct{ W io.Writer }

var _ Sink = Stream{}

// Write writes one record.
func (s Stream) Write(line []byte) (int, error) { return s.W.Write(line) }

// Close leaves the writer open.
func (Stream) Close() error { return nil }
