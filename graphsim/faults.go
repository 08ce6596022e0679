package graphsim

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
	// FaultStatus answers Status instead (503 unless set), with Code, Message and RetryAfter.
	FaultStatus = "status"
	// FaultErrorIn200 puts the same error object into an answer 200, FaultNestedError nests it in several innererror.
	FaultErrorIn200  = "error_in_200"
	FaultNestedError = "nested_error"
	// FaultRefusePage is FaultStatus for page Page of a walk (400 unless set).
	FaultRefusePage = "refuse_page"
	// FaultLoopLink makes the next link point to the page itself.
	FaultLoopLink = "loop_link"
	// FaultLoopPair makes the next link of every page but the first point to the page before: a loop of two.
	FaultLoopPair = "loop_pair"
	// FaultForeignLink moves the next link to another host, FaultHTTPLink to plain HTTP.
	FaultForeignLink = "foreign_link"
	FaultHTTPLink    = "http_link"
	// FaultCutBody ends the connection in the middle of the body, FaultMalformedJSON breaks the JSON text.
	FaultCutBody       = "cut_body"
	FaultMalformedJSON = "malformed_json"
	// FaultEmptyPage drops the rows and keeps the link, FaultEmptyEnd drops both.
	FaultEmptyPage = "empty_page"
	FaultEmptyEnd  = "empty_end"
	// FaultOutOfWindow moves the dates of a page's first row 40 days back.
	FaultOutOfWindow = "out_of_window"
	// FaultRepeatPage answers the rows of the walk's page before.
	FaultRepeatPage = "repeat_page"
	// FaultSlow waits Delay before the answer, FaultReset closes the connection without one.
	FaultSlow  = "slow"
	FaultReset = "reset"
	// FaultHang never answers; FaultStall sends half of the body and then nothing. Both hold the connection open until the
	// client leaves or, with Delay, for that long, and then break it.
	FaultHang  = "hang"
	FaultStall = "stall"
	// FaultDrip sends the body in pieces of Chunk bytes (64 unless set), Delay apart (20 ms unless set).
	FaultDrip = "drip"
	// FaultGoAway answers and then ends the connection: HTTP/2 GOAWAY, HTTP/1.1 `Connection: close`.
	FaultGoAway = "goaway"
	// FaultOneOfN is FaultStatus for every Every-th request.
	FaultOneOfN = "one_of_n"
	// FaultHTMLError is FaultStatus with an HTML page for a body.
	FaultHTMLError = "html_error"
	// FaultLinkName spells the members that link on, nested ones included, as Name: "@odata.NextLink" unless set.
	FaultLinkName = "link_name"
	// FaultEmptyError is FaultStatus without a body.
	FaultEmptyError = "empty_error"
	// FaultRefuseOrder answers 400 to a list of chats with $orderby, FaultIgnoreOrder answers as if it had none. Microsoft says
	// of US Government clouds that they do not support the option, and not which of the two they do.
	FaultRefuseOrder = "refuse_order"
	FaultIgnoreOrder = "ignore_order"
)

// FaultKinds are all kinds of [Fault].
func FaultKinds() []string {
	return []string{
		FaultStatus, FaultErrorIn200, FaultNestedError, FaultRefusePage, FaultLoopLink, FaultLoopPair, FaultForeignLink, FaultHTTPLink,
		FaultCutBody, FaultMalformedJSON, FaultEmptyPage, FaultEmptyEnd, FaultOutOfWindow, FaultRepeatPage, FaultSlow, FaultReset,
		FaultHang, FaultStall, FaultDrip, FaultGoAway, FaultOneOfN, FaultHTMLError, FaultEmptyError, FaultLinkName,
		FaultRefuseOrder, FaultIgnoreOrder,
	}
}

// Fault is one misbehaviour. Conditions are joined by and; requests are counted per fault in the order of arrival.
// Nothing but the seed, the requests and the clock decides: the same seed and the same requests, the same faults.
type Fault struct {
	// Match is a source (SourceChat …, "token", "download") or a part of the path, which holds the user; empty = all.
	Match string `json:"match,omitempty" yaml:"match,omitempty"`
	// User restricts the fault to requests about one user, by object id or user principal name; empty = all.
	User string `json:"user,omitempty" yaml:"user,omitempty"`
	// Kind is one of the Fault… kinds.
	Kind string `json:"kind" yaml:"kind"`
	// Page is the page of a walk, from 1; a repeated request for a page counts once. 0 = every page.
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
	// DelayMS is a time in milliseconds: what FaultSlow waits, for others see there.
	DelayMS int `json:"delayMs,omitempty" yaml:"delayMs,omitempty"`
	// Chunk is the size of FaultDrip's pieces, in bytes.
	Chunk int `json:"chunk,omitempty" yaml:"chunk,omitempty"`
	// Name is the member's name of FaultLinkName; what stands before the "@" of a nested one stays.
	Name string `json:"name,omitempty" yaml:"name,omitempty"`
	// Host replaces the host of a foreign link; empty = "graph.attacker.example".
	Host string `json:"host,omitempty" yaml:"host,omitempty"`
}

func (f *Fault) check() error {
	switch {
	case !slices.Contains(FaultKinds(), f.Kind):
		return fmt.Errorf("graphsim: fault kind %q is none of %s", f.Kind, strings.Join(FaultKinds(), ", "))
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

// LoadFaults reads faults from a YAML or JSON file: a list of [Fault], or a mapping with the key faults.
func LoadFaults(path string) ([]Fault, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("graphsim: faults: %w", err)
	}
	return parseFaults(data)
}

func parseFaults(data []byte) ([]Fault, error) {
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
