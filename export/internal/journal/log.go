package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"
)

// log is a file of records. It is appended to, and truncated to a committed length.
type log struct {
	file     *os.File
	buffered *bufio.Writer
	size     int64 // of the file with the buffered bytes
}

// openLog opens a log, which is made if need be, and truncates it to its committed length. A shorter file is an error.
func openLog(path string, committed int64) (*log, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	info, err := file.Stat()
	if err == nil && info.Size() < committed {
		err = fmt.Errorf("%s has %d bytes of %d: remove the state folder to begin the run anew", path, info.Size(), committed)
	}
	l := &log{file: file, buffered: bufio.NewWriterSize(file, 1<<16)}
	if err == nil {
		err = l.truncate(committed)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return l, nil
}

func (l *log) append(message proto.Message) error {
	n, err := protodelim.MarshalTo(l.buffered, message)
	l.size += int64(n)
	return err
}

// appendWire is append of a message in its wire format.
func (l *log) appendWire(message []byte) error {
	if err := l.write(binary.AppendUvarint(nil, uint64(len(message)))); err != nil {
		return err
	}
	return l.write(message)
}

// keySize is how many bytes a key has in a log.
const keySize = 16

func (l *log) appendKey(key Key) error {
	var record [keySize]byte
	binary.LittleEndian.PutUint64(record[:], key.Owner)
	binary.LittleEndian.PutUint64(record[8:], key.Event)
	return l.write(record[:])
}

func (l *log) write(record []byte) error {
	n, err := l.buffered.Write(record)
	l.size += int64(n)
	return err
}

func (l *log) flush() error {
	if err := l.buffered.Flush(); err != nil {
		return fmt.Errorf("state folder: %w", err)
	}
	return nil
}

func (l *log) truncate(size int64) error {
	l.buffered.Reset(l.file)
	l.size = size
	if err := l.file.Truncate(size); err != nil {
		return err
	}
	_, err := l.file.Seek(size, io.SeekStart)
	return err
}
