package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"

	"google.golang.org/grpc"
)

const streams = 8 // at one time

// together has as many readers, each of which reads a chain so many times, and returns the events of all.
func together(readers, repeats int, s *cachedChain, read func() error) (int, error) {
	var group sync.WaitGroup
	failures := make([]error, readers)
	for i := range readers {
		group.Go(func() {
			for range repeats {
				if failures[i] = read(); failures[i] != nil {
					return
				}
			}
		})
	}
	group.Wait()
	return readers * repeats * s.rows, errors.Join(failures...)
}

// overGRPC reads messages without decoding them. Parley and the bare codec have the same client.
func overGRPC(conn *grpc.ClientConn, method string, s *cachedChain) func() error {
	return func() error {
		size, total := 0, int64(0)
		err := call(conn, method, s.query, func() any { return &size }, func(any) { total += int64(size) })
		return s.whole(total, err)
	}
}

// whole checks that all was read: tokens differ by a few bytes from call to call.
func (s *cachedChain) whole(got int64, err error) error {
	if err == nil && (got < s.bytes-s.bytes/1000 || got > s.bytes+s.bytes/1000) {
		return fmt.Errorf("%d bytes of %d", got, s.bytes)
	}
	return err
}

// overHTTP reads a body of as many bytes as the chain has; a negative number is any.
func overHTTP(client *http.Client, address string, bytes int64) func() error {
	buffers := sync.Pool{New: func() any { return new([32 << 10]byte) }}
	return func() error {
		room, _ := buffers.Get().(*[32 << 10]byte)
		defer buffers.Put(room)
		got, err := drain(client, address, room[:])
		if err == nil && bytes >= 0 && got != bytes {
			return fmt.Errorf("%d bytes of %d", got, bytes)
		}
		return err
	}
}

// drain reads a body to its end.
func drain(client *http.Client, address string, room []byte) (int64, error) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("request: %w", err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("get: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("status %d", answer.StatusCode)
	}
	got, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, answer.Body, room)
	if err != nil {
		return got, fmt.Errorf("read: %w", err)
	}
	return got, nil
}

// overTCP reads the bytes of a chain from a connection of its own.
func overTCP(address string, s *cachedChain) func() error {
	buffers := sync.Pool{New: func() any { return new([32 << 10]byte) }}
	return func() error {
		room, _ := buffers.Get().(*[32 << 10]byte)
		defer buffers.Put(room)
		conn, err := net.Dial("tcp", address) //nolint:noctx // answers at once
		if err != nil {
			return fmt.Errorf("dial: %w", err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte(s.name[:1])); err != nil {
			return fmt.Errorf("ask: %w", err)
		}
		got, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{io.LimitReader(conn, s.bytes)}, room[:])
		return s.whole(got, err)
	}
}
