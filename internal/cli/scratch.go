package cli

import (
	"errors"
	"os"
	"path/filepath"
)

// scratch keeps the files that the demo's settings name, until it is closed.
type scratch interface {
	// write keeps a file that its owner alone may read, and returns its path.
	write(name string, content []byte) (path string, err error)
	close() error
}

// sharedMemory is a folder that container runtimes often keep writable where the root is read-only.
const sharedMemory = "/dev/shm"

// newScratch keeps files where temporary files go, in shared memory, or, where nothing can be written, in the memory of the process.
func newScratch() (scratch, error) {
	kept, err := os.MkdirTemp("", "parley-demo-")
	if err == nil {
		return folder(kept), nil
	}
	if kept, noMemory := os.MkdirTemp(sharedMemory, "parley-demo-"); noMemory == nil {
		return folder(kept), nil
	}
	own, none := newMemory()
	if none != nil {
		return nil, errors.Join(err, none)
	}
	return own, nil
}

// folder keeps files in a folder of its own.
type folder string

var _ scratch = folder("")

func (f folder) write(name string, content []byte) (string, error) {
	path := filepath.Join(string(f), name)
	return path, os.WriteFile(path, content, 0o600)
}

func (f folder) close() error { return os.RemoveAll(string(f)) }
