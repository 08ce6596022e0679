package graphsim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Kinds of [Fault].
const (
	// FaultStatus answers Status instead (503 unless set), with Code, Message and RetryAfter.
	FaultStatus = "status"
	// FaultRefusePage is FaultStatus for page Page of a walk (400 unless set).
	FaultRefusePage = "refuse_page"
	// FaultLoopLink makes the next link point to the page itself.
	FaultLoopLink = "loop_link"
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
	// FaultOneOfN is FaultStatus for every Every-th request.
	FaultOneOfN = "one_of_n"
	// FaultHTMLError is FaultStatus with an HTML page for a body.
	FaultHTMLError = "html_error"
)

func faultKinds() []string {
	return []string{
		FaultStatus, FaultRefusePage, FaultLoopLink, FaultForeignLink, FaultHTTPLink, FaultCutBody, FaultMalformedJSON, FaultEmptyPage,
		FaultEmptyEnd, FaultOutOfWindow, FaultRepeatPage, FaultSlow, FaultReset, FaultOneOfN, FaultHTMLError,
	}
}

// Fault is one misbehaviour. Conditions are joined by and; requests are counted per fault in the order of arrival.
type Fault struct {
	// Match is a source (SourceChat …, "token", "download") or a part of the path, which holds the user; empty = all.
	Match string `json:"match,omitempty" yaml:"match,omitempty"`
	// Kind is one of the Fault… kinds.
	Kind string `json:"kind" yaml:"kind"`
	// Page is the page of a walk, from 1; a repeated request for a page counts once. 0 = every page.
	Page int `json:"page,omitempty" yaml:"page,omitempty"`
	// After lets that many matching requests pass first; Times ends after so many strikes, 0 = never.
	After int `json:"after,omitempty" yaml:"after,omitempty"`
	Times int `json:"times,omitempty" yaml:"times,omitempty"`
	// Rate is the share of matching requests struck, chosen from the seed; 0 = all. Every strikes each n-th; 0 = all.
	Rate  float64 `json:"rate,omitempty" yaml:"rate,omitempty"`
	Every int     `json:"every,omitempty" yaml:"every,omitempty"`
	// Status, Code, Message and RetryAfter (seconds or a date, verbatim) make the error.
	Status     int    `json:"status,omitempty" yaml:"status,omitempty"`
	Code       string `json:"code,omitempty" yaml:"code,omitempty"`
	Message    string `json:"message,omitempty" yaml:"message,omitempty"`
	RetryAfter string `json:"retryAfter,omitempty" yaml:"retryAfter,omitempty"`
	// DelayMS is how long FaultSlow waits, in milliseconds.
	DelayMS int `json:"delayMs,omitempty" yaml:"delayMs,omitempty"`
	// Host replaces the host of a foreign link; empty = "graph.attacker.example".
	Host string `json:"host,omitempty" yaml:"host,omitempty"`
}

func (f *Fault) check() error {
	switch {
	case !slices.Contains(faultKinds(), f.Kind):
		return fmt.Errorf("graphsim: fault kind %q is none of %s", f.Kind, strings.Join(faultKinds(), ", "))
	case f.Page < 0 || f.After < 0 || f.Times < 0 || f.Every < 0 || f.DelayMS < 0:
		return errors.New("graphsim: a fault's page, after, times, every and delayMs are not negative")
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

// SetFaults replaces all faults and forgets their counts. An unknown kind is an error and changes nothing.
func (s *Sim) SetFaults(faults []Fault) error { return s.faults.set(faults) }

func (f *Fault) refusal() *graphError {
	g := &graphError{status: f.Status, code: f.Code, message: f.Message, header: http.Header{}}
	if g.status == 0 {
		g.status = http.StatusServiceUnavailable
		if f.Kind == FaultRefusePage {
			g.status = http.StatusBadRequest
		}
	}
	code, message := defaultRefusal(g.status)
	if g.code == "" {
		g.code = code
	}
	if g.message == "" && f.Code == "" {
		g.message = message
	}
	if f.RetryAfter != "" {
		g.header.Set("Retry-After", f.RetryAfter)
	}
	return g
}

func defaultRefusal(status int) (code, message string) {
	switch status {
	case http.StatusBadRequest:
		return "BadRequest", "Invalid continuation token"
	case http.StatusUnauthorized:
		return "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired."
	case http.StatusPaymentRequired:
		return "PaymentRequired", "Evaluation capacity for the month has exceeded. To continue beyond the evaluation limits complete billing onboarding."
	case http.StatusForbidden:
		return "Forbidden", "UnknownError"
	case http.StatusNotFound:
		return "NotFound", "NotFound"
	case http.StatusTooManyRequests:
		return "TooManyRequests", "Please retry again later."
	case http.StatusGatewayTimeout:
		return "UnknownError", ""
	default:
		return "ServiceUnavailable", "The service is temporarily unavailable."
	}
}

// preFaults strikes before the request is looked at; true = answered. What bends the answer is kept for later.
func (x *exchange) preFaults() bool {
	for _, f := range x.sim.faults.strike(x) {
		switch f.Kind {
		case FaultStatus, FaultRefusePage, FaultOneOfN:
			g := f.refusal()
			if g.status == http.StatusTooManyRequests {
				g.inner = object{{"code", "429"}, {"message", "Please retry after"}, {"status", "429"}}
			}
			x.fail(g)
			return true
		case FaultHTMLError:
			g := f.refusal()
			maps.Copy(x.w.Header(), g.header)
			x.write(g.status, "text/html", []byte("<html><head><title>Error</title></head><body><h2>Our services aren't available right now</h2></body></html>"))
			return true
		case FaultReset:
			x.status = 0
			panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to drop a request
		case FaultSlow:
			if !pause(x.r.Context(), time.Duration(f.DelayMS)*time.Millisecond) {
				x.status = 0
				return true
			}
		default:
			x.faults = append(x.faults, f)
		}
	}
	return false
}

// bend changes a reply as the faults say.
func (x *exchange) bend(rep *reply) {
	for _, f := range x.faults {
		switch f.Kind {
		case FaultLoopLink:
			rep.next = x.base() + x.r.URL.RequestURI()
		case FaultForeignLink:
			host := f.Host
			if host == "" {
				host = "graph.attacker.example"
			}
			rep.next = "https://" + host + x.linkPath(rep.next)
		case FaultHTTPLink:
			_, host, _ := strings.Cut(x.base(), "://")
			rep.next = "http://" + host + x.linkPath(rep.next)
		case FaultEmptyPage:
			rep.rows = list{}
		case FaultEmptyEnd:
			rep.rows, rep.next = list{}, ""
		case FaultOutOfWindow:
			if len(rep.rows) > 0 {
				rep.rows[0] = shifted(rep.rows[0])
			}
		case FaultRepeatPage:
			rep.rows = x.sim.faults.previousRows(x, rep.rows)
		}
	}
	x.sim.faults.remember(x, rep.rows)
}

// linkPath is a link without scheme and host; a page without a link lends its own path.
func (x *exchange) linkPath(next string) string {
	if path, ok := strings.CutPrefix(next, x.base()); ok {
		return path
	}
	return x.r.URL.RequestURI()
}

func shifted(o object) object {
	o = slices.Clone(o)
	for _, name := range []string{"createdDateTime", "lastModifiedDateTime", "startDateTime", "endDateTime"} {
		if t, err := time.Parse(time.RFC3339Nano, o.text(name)); err == nil {
			o.set(name, teamsTime(t.UnixMilli()-40*dayMS))
		}
	}
	return o
}

// damage cuts or breaks the bytes of an answer.
func (x *exchange) damage(body []byte) (out []byte, cut bool) {
	for _, f := range x.faults {
		switch f.Kind {
		case FaultCutBody:
			return body[:len(body)/2], true
		case FaultMalformedJSON:
			body = bytes.Clone(body)
			for i := len(body) / 2; i < len(body); i++ {
				if body[i] == ':' || body[i] == ',' {
					body[i] = '}'
					break
				}
			}
		}
	}
	return body, false
}
