// Package reload keeps a value that is made from files, and makes it anew when one of them changes. A change that cannot
// be read leaves the old value in force: a mistake in a file neither allows more nor stops the service. Get looks at the files itself,
// at most once an interval; a Watcher looks although nobody asks for the value.
package reload

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// DefaultInterval is how long a change may stay unseen.
	DefaultInterval = 5 * time.Second
	// MaxFile is the largest file that is read, in bytes.
	MaxFile = 4 << 20
)

// ReadFunc reads one file. A change of a file that was read through it makes the value anew.
type ReadFunc func(path string) ([]byte, error)

// LoadFunc makes a value out of the files that it reads.
type LoadFunc[T any] func(read ReadFunc) (T, error)

// Options change what a Value does; the zero value is fine.
type Options struct {
	// Interval is the least time between two looks at the files; 0 = DefaultInterval.
	Interval time.Duration
	// Now is the clock; nil = time.Now.
	Now func() time.Time
	// Watcher looks at the files as well; nil = none does.
	Watcher *Watcher
	// Loaded is called when the value is made for the first time; nil = nobody is told.
	Loaded func()
	// Report is told of each reload: nil after a good one, else why the old value stays. It is called once for each
	// content of the files; nil = nobody is told.
	Report func(error)
}

// Value is a value made from files. It is safe for concurrent use.
type Value[T any] struct {
	load LoadFunc[T]
	opts Options

	current atomic.Pointer[T]
	due     atomic.Int64 // Unix nanoseconds of the next look
	looking sync.Mutex
	seen    map[string]digest // what the last load read, good or bad; guarded by looking
}

// digest is the content of a file; the zero value stands for a file that cannot be read.
type digest [sha256.Size]byte

// New makes the value for the first time; an error is the caller's to handle, since there is no old value.
func New[T any](load LoadFunc[T], opts Options) (*Value[T], error) {
	if opts.Interval <= 0 {
		opts.Interval = DefaultInterval
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	v := &Value[T]{load: load, opts: opts}
	value, seen, err := v.read()
	if err != nil {
		return nil, err
	}
	v.seen = seen
	v.current.Store(&value)
	v.due.Store(opts.Now().Add(opts.Interval).UnixNano())
	if opts.Loaded != nil {
		opts.Loaded()
	}
	if opts.Watcher != nil {
		opts.Watcher.Add(v)
	}
	return v, nil
}

// Get returns the value in force. When the interval has passed, the first caller looks at the files and the others are not
// kept waiting.
func (v *Value[T]) Get() T {
	now := v.opts.Now()
	if now.UnixNano() >= v.due.Load() && v.looking.TryLock() {
		if now.UnixNano() >= v.due.Load() {
			v.look()
			v.due.Store(v.opts.Now().Add(v.opts.Interval).UnixNano())
		}
		v.looking.Unlock()
	}
	return *v.current.Load()
}

// Look looks at the files now. Afterwards Get returns what they hold.
func (v *Value[T]) Look() {
	v.looking.Lock()
	defer v.looking.Unlock()
	v.look()
	v.due.Store(v.opts.Now().Add(v.opts.Interval).UnixNano())
}

// look loads again if one of the files has another content than at the last load.
func (v *Value[T]) look() {
	changed := false
	for path, before := range v.seen {
		data, err := ReadFile(path)
		if now := digestOf(data, err); now != before {
			changed = true
			break
		}
	}
	if !changed {
		return
	}
	value, seen, err := v.read()
	v.seen = seen
	if err == nil {
		v.current.Store(&value)
	}
	if v.opts.Report != nil {
		v.opts.Report(err)
	}
}

func (v *Value[T]) read() (T, map[string]digest, error) {
	seen := make(map[string]digest)
	value, err := v.load(func(path string) ([]byte, error) {
		data, err := ReadFile(path)
		seen[path] = digestOf(data, err)
		return data, err
	})
	return value, seen, err
}

func digestOf(data []byte, err error) digest {
	if err != nil {
		return digest{}
	}
	return sha256.Sum256(data)
}

// ReadFile reads a file of at most MaxFile bytes; errors name the path.
func ReadFile(path string) ([]byte, error) {
	if path == "" {
		return nil, errors.New("no file named")
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	if info.Size() > MaxFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, MaxFile)
	}
	return os.ReadFile(path)
}
