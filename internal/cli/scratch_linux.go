package cli

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ownFiles is the folder in which the kernel shows a process the files that it has open.
const ownFiles = "/proc/self/fd"

// memory keeps files without a name in any folder. Their paths are those of the open files, so they end with the process at the latest.
type memory struct{ files []*os.File }

var _ scratch = (*memory)(nil)

// newMemory fails where the paths of open files lead nowhere.
func newMemory() (scratch, error) {
	if _, err := os.Stat(ownFiles); err != nil {
		return nil, err
	}
	return &memory{}, nil
}

func (m *memory) write(name string, content []byte) (string, error) {
	number, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return "", fmt.Errorf("a file in memory: %w", err)
	}
	file := os.NewFile(uintptr(number), name)
	m.files = append(m.files, file)
	_, err = file.Write(content)
	return fmt.Sprintf("%s/%d", ownFiles, number), errors.Join(err, file.Chmod(0o600))
}

func (m *memory) close() error {
	var failed error
	for _, file := range m.files {
		failed = errors.Join(failed, file.Close())
	}
	return failed
}
