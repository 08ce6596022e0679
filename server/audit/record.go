// Package audit records who read whose data: an `intent` before the first look-up and an `outcome` at the end, as JSON lines of a
// stable schema, to a sink of their own. What cannot be recorded is not done. Records hold ids, never content: no message
// body, token, filter literal or user name. The records of one process are numbered and chained by digests; Verifier checks both.
package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/parley-gateway/parley/resource"
)

// Schema names the form of the records. Fields are only ever added to it.
const Schema = "parley.audit.v1"

// Kinds of records.
const (
	KindIntent  = "intent"
	KindOutcome = "outcome"
	// KindResumed notes that records can be written again, and how many were lost before it.
	KindResumed = "resumed"
)

// maxReason is the longest reason that is recorded, in bytes.
const maxReason = 512

// Caller is who asks, in a record.
type Caller struct {
	// ID is the caller's stable name; Kind is user, application, certificate or anonymous.
	ID, Kind string
	// Application is the id of the application that calls; empty where there is none.
	Application string
}

// Intent is what a call is about to read.
type Intent struct {
	// RequestID ties intent, outcome, log lines and the caller's own records together.
	RequestID string
	// TraceID is the caller's trace; empty where the caller has none.
	TraceID string
	Caller  Caller
	// Rule allows the call; Policy is the digest of the policy that it is of.
	Rule, Policy string
	// RPC is the method's name; Protocol is how it was called: grpc or rest.
	RPC, Protocol string
	// Tenant is the alias and TenantID the id of the tenant that is read.
	Tenant, TenantID string
	// Owner is whose data are read: an object id, "-" for the whole tenant, empty for methods without a user. See Owner.
	Owner string
	// Conversation is set where one conversation is asked for; its id is not recorded.
	Conversation bool
	// Sources, Start, End (zero = open) and View are what is asked for.
	Sources    []string
	Start, End time.Time
	View       string
	// Reason is why, in the caller's words (the parley-reason header).
	Reason string
	// Graph is whom Graph is asked as.
	Graph Graph
}

// Graph is whom Graph is asked as, in a record.
type Graph struct {
	// Permission is "application" or "on_behalf_of"; empty when Graph is not asked.
	Permission string
	// Identity is the application's client id, or the user's object id.
	Identity string
}

// Outcome is how a call ended.
type Outcome struct {
	// Code is the gRPC code as a word, such as OK; ErrorReason the reason of an error.
	Code, ErrorReason string
	// Events is how many events, conversations, rows or users were handed out; Bytes how many bytes of a download.
	Events, Bytes int64
	// Complete is what the answer said of itself; nil = nothing.
	Complete *bool
}

// record is one line but for what the log adds: an intent, or how a call ended.
type record struct {
	intent  *Intent
	outcome *Outcome // nil for an intent
	took    time.Duration
	first   uint64 // the number of the call's first record; 0 where this is it
}

// tidy makes an intent fit for records: the owner without names, the reason readable.
func (i *Intent) tidy() {
	i.Owner, i.Reason = Owner(i.Owner), readable(i.Reason)
}

// appendHead begins a record with what all kinds have.
func appendHead(b []byte, instance string, number uint64, now time.Time, kind string) []byte {
	b = append(b, `{"schema":"`+Schema+`"`...)
	b = appendText(b, "instance", instance)
	b = strconv.AppendUint(append(b, `,"number":`...), number, 10)
	return appendText(appendTime(b, "time", now), "kind", kind)
}

// append writes the record as a JSON object without its end: the log adds the chain.
func (r *record) append(b []byte, instance string, number uint64, now time.Time) []byte {
	i, kind := r.intent, KindIntent
	if r.outcome != nil {
		kind = KindOutcome
	}
	b = appendHead(b, instance, number, now, kind)
	if r.first != 0 {
		b = strconv.AppendUint(append(b, `,"intent":`...), r.first, 10)
	}
	b = appendSome(appendText(b, "request_id", i.RequestID), "trace_id", i.TraceID)
	b = append(appendWord(append(b, `,"caller":{"id":`...), i.Caller.ID), `,"kind":`...)
	b = append(appendSome(appendWord(b, i.Caller.Kind), "application", i.Caller.Application), '}')
	b = appendText(appendText(appendText(b, "rule", i.Rule), "policy", i.Policy), "rpc", i.RPC)
	b = appendSome(appendSome(appendSome(b, "protocol", i.Protocol), "tenant", i.Tenant), "tenant_id", i.TenantID)
	b = appendSome(b, "owner", i.Owner)
	if i.Conversation {
		b = append(b, `,"conversation":true`...)
	}
	if len(i.Sources) > 0 {
		b = append(b, `,"sources":[`...)
		for n, source := range i.Sources {
			if n > 0 {
				b = append(b, ',')
			}
			b = appendWord(b, source)
		}
		b = append(b, ']')
	}
	b = appendTime(appendTime(b, "start_time", i.Start), "end_time", i.End)
	b = appendSome(appendSome(b, "view", i.View), "reason", i.Reason)
	if i.Graph.Permission != "" {
		b = appendWord(append(b, `,"graph":{"permission":`...), i.Graph.Permission)
		b = append(appendSome(b, "identity", i.Graph.Identity), '}')
	}
	if r.outcome != nil {
		b = r.appendOutcome(b)
	}
	return b
}

func (r *record) appendOutcome(b []byte) []byte {
	o := r.outcome
	b = appendSome(appendWord(append(b, `,"outcome":{"code":`...), o.Code), "reason", o.ErrorReason)
	b = strconv.AppendInt(append(b, `,"events":`...), o.Events, 10)
	if o.Bytes != 0 {
		b = strconv.AppendInt(append(b, `,"bytes":`...), o.Bytes, 10)
	}
	if o.Complete != nil {
		b = strconv.AppendBool(append(b, `,"complete":`...), *o.Complete)
	}
	return append(strconv.AppendInt(append(b, `,"milliseconds":`...), r.took.Milliseconds(), 10), '}')
}

// appendText appends a member of an object that has one before it.
func appendText(b []byte, name, text string) []byte {
	return appendWord(append(append(append(b, `,"`...), name...), `":`...), text)
}

// appendSome is appendText but for empty texts, which are left out.
func appendSome(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	return appendText(b, name, text)
}

// appendTime appends an instant in UTC; the zero time is left out.
func appendTime(b []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":"`...)
	return append(t.UTC().AppendFormat(b, time.RFC3339Nano), '"')
}

// appendWord appends a JSON string, with the escapes of encoding/json.
func appendWord(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			escaped, err := json.Marshal(text)
			if err != nil {
				return append(b, `""`...) // strings are always written
			}
			return append(b, escaped...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

// Owner is the user of a request as records hold it: object ids and "-" verbatim. Anything else may be a name (a user
// principal name that could not be resolved, say) and becomes a digest, equal for equal names.
func Owner(user string) string {
	if user == "" || user == "-" || resource.IsObjectID(user) {
		return strings.ToLower(user)
	}
	sum := sha256.Sum256([]byte("parley audit owner\x00" + strings.ToLower(user)))
	return "sha256:" + hex.EncodeToString(sum[:16])
}

// readable cuts a caller's text and takes out what is not to be seen in it.
func readable(text string) string {
	if text == "" {
		return ""
	}
	text = strings.Map(func(c rune) rune {
		if c == unicode.ReplacementChar || !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, text)
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "")
	}
	return strings.TrimSpace(text)
}
