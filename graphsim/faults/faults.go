// Package faults decides which faults strike a request to the simulator, by its source, its user and a schedule. Every run with the same
// seed has the same faults. Requests enter; Strike returns their faults, and Alter changes the pages of answers by them. The simulator makes
// errors, delays and broken connections of the others.
package faults

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Kinds of [Fault].
const (
	// Status answers with the error of Fault.Status instead (503 unless set), with Code, Message and RetryAfter.
	Status = "status"
	// ErrorIn200 puts the same error object into an answer 200, NestedError nests it in several innererror.
	ErrorIn200  = "error_in_200"
	NestedError = "nested_error"
	// RefusePage is Status for page Page of a chain (400 unless set).
	RefusePage = "refuse_page"
	// LoopLink makes the next link point to the page itself.
	LoopLink = "loop_link"
	// LoopPair makes the next link of every page but the first point to the page before: a loop of two.
	LoopPair = "loop_pair"
	// ForeignLink moves the next link to another host, HTTPLink to plain HTTP.
	ForeignLink = "foreign_link"
	HTTPLink    = "http_link"
	// CutBody ends the connection in the middle of the body, MalformedJSON breaks the JSON text.
	CutBody       = "cut_body"
	MalformedJSON = "malformed_json"
	// EmptyPage drops the rows and keeps the link, EmptyEnd drops both.
	EmptyPage = "empty_page"
	EmptyEnd  = "empty_end"
	// OutOfWindow moves the dates of a page's first row 40 days back.
	OutOfWindow = "out_of_window"
	// RepeatPage answers with the rows of the page before in the chain.
	RepeatPage = "repeat_page"
	// Slow waits DelayMS before the answer, Reset closes the connection without one.
	Slow  = "slow"
	Reset = "reset"
	// Hang never answers; Stall sends half of the body and then nothing. Both hold the connection open until the
	// client leaves or, with DelayMS, for that long, and then break it.
	Hang  = "hang"
	Stall = "stall"
	// Drip sends the body in pieces of Chunk bytes (64 unless set), DelayMS apart (20 ms unless set).
	Drip = "drip"
	// GoAway answers and then ends the connection: HTTP/2 GOAWAY, HTTP/1.1 `Connection: close`.
	GoAway = "goaway"
	// OneOfN is Status for every Every-th request.
	OneOfN = "one_of_n"
	// HTMLError is Status with an HTML page for a body.
	HTMLError = "html_error"
	// LinkName calls the members that link to the next page, nested ones included, Name: "@odata.NextLink" unless set.
	LinkName = "link_name"
	// EmptyError is Status without a body.
	EmptyError = "empty_error"
	// RefuseOrder answers 400 to a list of chats with $orderby, IgnoreOrder answers as if it had none. Microsoft says
	// of US Government clouds that they do not support the option, and not which of the two they do.
	RefuseOrder = "refuse_order"
	IgnoreOrder = "ignore_order"
)

// Kinds are all kinds of [Fault].
func Kinds() []string {
	return []string{
		Status, ErrorIn200, NestedError, RefusePage, LoopLink, LoopPair, ForeignLink, HTTPLink,
		CutBody, MalformedJSON, EmptyPage, EmptyEnd, OutOfWindow, RepeatPage, Slow, Reset,
		Hang, Stall, Drip, GoAway, OneOfN, HTMLError, EmptyError, LinkName,
		RefuseOrder, IgnoreOrder,
	}
}

// Fault is one misbehaviour. Conditions are joined by and; requests are counted per fault in the order of arrival.
// Nothing but the seed, the requests and the clock decides: the same seed and the same requests, the same faults.
type Fault struct {
	// Match is a source (SourceChat …, "token", "download") or a part of the path, which holds the user; empty = all.
	Match string `json:"match,omitempty" yaml:"match,omitempty"`
	// User restricts the fault to requests about one user, by object id or user principal name; empty = all.
	User string `json:"user,omitempty" yaml:"user,omitempty"`
	// Kind is one of Kinds.
	Kind string `json:"kind" yaml:"kind"`
	// Page is the page of a chain, from 1; a repeated request for a page counts once. 0 = every page.
	Page int `json:"page,omitempty" yaml:"page,omitempty"`
	// After lets that many matching requests pass first; Times ends after so many strikes, 0 = never.
	After int `json:"after,omitempty" yaml:"after,omitempty"`
	Times int `json:"times,omitempty" yaml:"times,omitempty"`
	// FromMS and UntilMS bound the time in which the fault strikes, in milliseconds since the faults were set; 0 = open.
	FromMS  int64 `json:"fromMs,omitempty" yaml:"fromMs,omitempty"`
	UntilMS int64 `json:"untilMs,omitempty" yaml:"untilMs,omitempty"`
	// Rate is the share of matching requests struck; 0 = all. The seed, the request and how often it was made decide,
	// whatever else is asked at the same time. Every strikes each n-th; 0 = all.
	Rate  float64 `json:"rate,omitempty" yaml:"rate,omitempty"`
	Every int     `json:"every,omitempty" yaml:"every,omitempty"`
	// Status, Code, Message and RetryAfter make the error. RetryAfter is sent verbatim, but for "+90": it becomes the date
	// that many seconds ahead.
	Status     int    `json:"status,omitempty" yaml:"status,omitempty"`
	Code       string `json:"code,omitempty" yaml:"code,omitempty"`
	Message    string `json:"message,omitempty" yaml:"message,omitempty"`
	RetryAfter string `json:"retryAfter,omitempty" yaml:"retryAfter,omitempty"`
	// DelayMS is a time in milliseconds, which Slow, Hang, Stall and Drip take.
	DelayMS int `json:"delayMs,omitempty" yaml:"delayMs,omitempty"`
	// Chunk is the size of Drip's pieces, in bytes.
	Chunk int `json:"chunk,omitempty" yaml:"chunk,omitempty"`
	// Name is the name that LinkName gives; the part before the "@" of a nested member stays.
	Name string `json:"name,omitempty" yaml:"name,omitempty"`
	// Host replaces the host of a foreign link; empty = "graph.attacker.example".
	Host string `json:"host,omitempty" yaml:"host,omitempty"`
}

func (f *Fault) check() error {
	switch {
	case !slices.Contains(Kinds(), f.Kind):
		return fmt.Errorf("graphsim: fault kind %q is none of %s", f.Kind, strings.Join(Kinds(), ", "))
	case f.Page < 0 || f.After < 0 || f.Times < 0 || f.Every < 0 || f.DelayMS < 0 || f.Chunk < 0 || f.FromMS < 0 || f.UntilMS < 0:
		return errors.New("graphsim: a fault's page, after, times, every, delayMs, chunk, fromMs and untilMs are not negative")
	case f.UntilMS != 0 && f.UntilMS <= f.FromMS:
		return errors.New("graphsim: a fault's untilMs lies behind its fromMs")
	case f.Rate < 0 || f.Rate > 1:
		return fmt.Errorf("graphsim: fault rate %g is not between 0 and 1", f.Rate)
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return fmt.Errorf("graphsim: fault status %d is no error", f.Status)
	}
	return nil
}

// Load reads faults from a YAML or JSON file: a list of [Fault], or a mapping with the key faults.
func Load(path string) ([]Fault, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("graphsim: faults: %w", err)
	}
	return Parse(data)
}

// Parse reads faults from YAML or JSON; see Load.
func Parse(data []byte) ([]Fault, error) {
	var whole struct {
		Faults []Fault `yaml:"faults"`
	}
	var target any = &whole
	if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && (trimmed[0] == '[' || trimmed[0] == '-') {
		target = &whole.Faults
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(target); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("graphsim: faults: %w", err)
	}
	for i := range whole.Faults {
		if err := whole.Faults[i].check(); err != nil {
			return nil, err
		}
	}
	return whole.Faults, nil
}
