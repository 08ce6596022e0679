// Package conformance holds client helpers to their rules: it plays cases, which are data, against a driver of a helper. README.md has
// the rules, the format of the cases and what a driver is.
package conformance

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

//go:embed cases/*.json
var files embed.FS

// Case is one file of cases.
type Case struct {
	Name        string            `json:"-"`
	About       string            `json:"about"`
	Client      Client            `json:"client"`
	Connections []Connection      `json:"connections"`
	Deliver     []json.RawMessage `json:"deliver"`
	End         json.RawMessage   `json:"end"`

	request *parleyv1.StreamEventsRequest
}

// Client is what a driver is given.
type Client struct {
	Request       json.RawMessage `json:"request"`
	Tokens        []string        `json:"tokens,omitempty"`
	Retries       *int            `json:"retries"`
	Memory        *int            `json:"memory"`
	BackoffMillis int64           `json:"backoffMillis"`
	MaxWaitMillis int64           `json:"maxWaitMillis"`
	IdleMillis    int64           `json:"idleMillis"`
	StopAfter     int             `json:"stopAfter,omitempty"`
	HoldAfter     int             `json:"holdAfter,omitempty"`
}

// setDefaults sets what a case leaves out.
func (c *Client) setDefaults() {
	retries, memory := 5, 1000
	if c.Retries == nil {
		c.Retries = &retries
	}
	if c.Memory == nil {
		c.Memory = &memory
	}
	if c.BackoffMillis == 0 {
		c.BackoffMillis = 20
	}
	if c.MaxWaitMillis == 0 {
		c.MaxWaitMillis = 60_000
	}
	if c.IdleMillis == 0 {
		c.IdleMillis = 600_000 // longer than a case: only those that say so wait for it
	}
}

// Connection is what the server expects and does on one connection.
type Connection struct {
	Expect Expect   `json:"expect"`
	Steps  []Step   `json:"steps"`
	End    End      `json:"end,omitempty"`
	Error  *Failure `json:"error,omitempty"`
}

// Expect is what must hold for a call.
type Expect struct {
	ResumeToken   string `json:"resumeToken,omitempty"`
	Authorization string `json:"authorization,omitempty"`
	MinWaitMillis int64  `json:"minWaitMillis,omitempty"`
}

// Step is something that the server does; one of its members is set.
type Step struct {
	Frame        json.RawMessage `json:"frame,omitempty"`
	UnknownFrame bool            `json:"unknownFrame,omitempty"`
	Bulk         *Bulk           `json:"bulk,omitempty"`
	Await        int             `json:"await,omitempty"`

	// UnknownFields goes with Frame.
	UnknownFields bool `json:"unknownFields,omitempty"`
}

// Bulk is many large frames, each followed by a checkpoint.
type Bulk struct {
	Frames int `json:"frames"`
	Events int `json:"events"`
	Bytes  int `json:"bytes,omitempty"`
}

func (b *Bulk) uid(frame, event int) string { return fmt.Sprintf("bulk-%d-%d", frame, event) }

func (b *Bulk) token(frame int) string { return fmt.Sprintf("bulk-%d", frame) }

// size is how many bytes of texts the step sends.
func (b *Bulk) size() int64 { return int64(b.Frames) * int64(b.Events) * int64(b.Bytes) }

// messages returns a batch and its checkpoint.
func (b *Bulk) messages(frame int, body string) [2]*parleyv1.StreamEventsResponse {
	batch := &parleyv1.EventBatch{}
	for event := range b.Events {
		batch.Events = append(batch.Events, &parleyv1.Event{Uid: b.uid(frame, event), Version: 1, Body: &parleyv1.Body{PlainText: body}})
	}
	return [2]*parleyv1.StreamEventsResponse{
		{Frame: &parleyv1.StreamEventsResponse_Batch{Batch: batch}},
		{Frame: &parleyv1.StreamEventsResponse_Checkpoint{Checkpoint: &parleyv1.Checkpoint{ResumeToken: b.token(frame)}}},
	}
}

// End is how a connection ends without an error.
type End string

// The ends of a connection.
const (
	EndOK      End = "ok"      // regularly
	EndCut     End = "cut"     // the connection ends between two frames
	EndTear    End = "tear"    // the connection ends within a frame
	EndReset   End = "reset"   // TCP reset
	EndReplace End = "replace" // the server goes, and another one takes its address
	EndHang    End = "hang"    // nothing until the client goes
)

// Failure is an error of the gateway, or of something in its way.
type Failure struct {
	Code        string            `json:"code"`
	Reason      string            `json:"reason,omitempty"`
	RetryMillis *int64            `json:"retryMillis,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

// status returns the error as the gateway sends it.
func (f *Failure) status() *status.Status {
	st := status.New(codes.Code(code.Code_value[f.Code]), "an error of a case")
	var details []protoadapt.MessageV1
	if f.Reason != "" {
		details = append(details, &errdetails.ErrorInfo{Reason: f.Reason, Domain: "parley.v1", Metadata: f.Metadata})
	}
	if f.RetryMillis != nil {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Duration(*f.RetryMillis) * time.Millisecond)})
	}
	if with, err := st.WithDetails(details...); err == nil {
		st = with
	}
	return st
}

// Cases returns all cases, in the order of their names.
func Cases() ([]*Case, error) {
	names, err := fs.Glob(files, "cases/*.json")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	cases := make([]*Case, 0, len(names))
	for _, name := range names {
		raw, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		c, err := parse(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		c.Name = strings.TrimSuffix(path.Base(name), ".json")
		cases = append(cases, c)
	}
	return cases, nil
}

// parse reads a case strictly.
func parse(raw []byte) (*Case, error) {
	c := &Case{request: &parleyv1.StreamEventsRequest{}}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(c); err != nil {
		return nil, err
	}
	if err := protojson.Unmarshal(c.Client.Request, c.request); err != nil {
		return nil, err
	}
	c.request.ResumeToken = ""
	c.Client.setDefaults()
	for i, connection := range c.Connections {
		if err := connection.check(); err != nil {
			return nil, fmt.Errorf("connection %d: %w", i+1, err)
		}
	}
	return c, nil
}

// check finds mistakes that would make a case mean something else than it says.
func (c *Connection) check() error {
	for i, step := range c.Steps {
		if step.Frame == nil {
			continue
		}
		if err := protojson.Unmarshal(step.Frame, &parleyv1.StreamEventsResponse{}); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	ends := []End{EndOK, EndCut, EndTear, EndReset, EndReplace, EndHang}
	switch {
	case c.Error == nil && !slices.Contains(ends, c.End):
		return fmt.Errorf("%q is no end", c.End)
	case c.Error == nil:
		return nil
	case c.End != "":
		return errors.New("both end and error")
	case code.Code_value[c.Error.Code] == 0:
		return fmt.Errorf("%q is no code", c.Error.Code)
	}
	return nil
}

// items returns the lines that a driver must print, the end among them, as values that compare.
func (c *Case) items() ([]any, error) {
	var all []any
	for _, raw := range c.Deliver {
		var item struct {
			Bulk *Bulk `json:"bulk"`
		}
		if err := json.Unmarshal(raw, &item); err != nil {
			return nil, err
		}
		if item.Bulk == nil {
			var value any
			if err := json.Unmarshal(raw, &value); err != nil {
				return nil, err
			}
			all = append(all, value)
			continue
		}
		for frame := range item.Bulk.Frames {
			for event := range item.Bulk.Events {
				all = append(all, map[string]any{"event": map[string]any{"uid": item.Bulk.uid(frame, event), "version": "1"}})
			}
			all = append(all, map[string]any{"checkpoint": item.Bulk.token(frame)})
		}
	}
	var end any
	err := json.Unmarshal(c.End, &end)
	return append(all, map[string]any{"end": end}), err
}
