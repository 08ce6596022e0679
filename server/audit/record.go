// Package audit records who read whose data, as JSON lines of a stable schema. Each call has a Call: the interceptor audit opens it, the
// authorizer of package service writes an Intent into it before the first look-up, and the interceptor ends it with the Outcome. A Log
// numbers the records, chains them by digests and writes them to its Sink; Verifier checks both. A call whose intent cannot be recorded
// reads nothing. Records hold ids, never content: no message body, token, filter literal or user name.
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

// RecordedCaller describes the caller in a record.
type RecordedCaller struct {
	// ID is the caller's stable name; Kind is user, application, certificate, anonymous or unknown.
	ID, Kind string
	// Application is the id of the application that calls; empty where there is none.
	Application string
}

// Intent describes what a call is about to read.
type Intent struct {
	// RequestID ties intent, outcome, log lines and the caller's own records together.
	RequestID string
	// TraceID is the trace of the call: the caller's, or else that of its recorded spans; empty where there is neither.
	TraceID string
	Caller  RecordedCaller
	// Rule is the name of the rule that allows the call, and Policy the digest of its policy.
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
	// Graph says as whom Graph is asked.
	Graph GraphIdentity
}

// GraphIdentity describes in a record as whom Graph is asked.
type GraphIdentity struct {
	// Permission is "application" or "on_behalf_of"; empty when Graph is not asked.
	Permission string
	// Identity is the application's client id, or the user's object id.
	Identity string
}

// Outcome describes the end of a call.
type Outcome struct {
	// Code is the gRPC code as a word, such as OK; ErrorReason the reason of an error.
	Code, ErrorReason string
	// Events is how many events, conversations, rows or users were handed out; Bytes how many bytes of a download.
	Events, Bytes int64
	// Complete is the answer's own `complete`; nil where it has none.
	Complete *bool
}

// record is an intent or an outcome, without the number and the chain that the log adds.
type record struct {
	intent  *Intent
	outcome *Outcome // nil for an intent
	took    time.Duration
	first   uint64 // the number of the call's first record; 0 where this is it
}

// sanitize takes names out of the owner, and control characters out of the reason.
func (i *Intent) sanitize() {
	i.Owner, i.Reason = Owner(i.Owner), printable(i.Reason)
}

// appendHead appends the members that all kinds of records have.
func appendHead(b []byte, instance string, number uint64, now time.Time, kind string) []byte {
	b = append(b, `{"schema":"`+Schema+`"`...)
	b = appendMember(b, "instance", instance)
	b = strconv.AppendUint(append(b, `,"number":`...), number, 10)
	return appendMember(appendTime(b, "time", now), "kind", kind)
}

// append appends the record as a JSON object without its end, because the chain follows.
func (r *record) append(b []byte, instance string, number uint64, now time.Time) []byte {
	i, kind := r.intent, KindIntent
	if r.outcome != nil {
		kind = KindOutcome
	}
	b = appendHead(b, instance, number, now, kind)
	if r.first != 0 {
		b = strconv.AppendUint(append(b, `,"intent":`...), r.first, 10)
	}
	b = appendOptional(appendMember(b, "request_id", i.RequestID), "trace_id", i.TraceID)
	b = append(appendString(append(b, `,"caller":{"id":`...), i.Caller.ID), `,"kind":`...)
	b = append(appendOptional(appendString(b, i.Caller.Kind), "application", i.Caller.Application), '}')
	b = appendMember(appendMember(appendMember(b, "rule", i.Rule), "policy", i.Policy), "rpc", i.RPC)
	b = appendOptional(appendOptional(appendOptional(b, "protocol", i.Protocol), "tenant", i.Tenant), "tenant_id", i.TenantID)
	b = appendOptional(b, "owner", i.Owner)
	if i.Conversation {
		b = append(b, `,"conversation":true`...)
	}
	if len(i.Sources) > 0 {
		b = append(b, `,"sources":[`...)
		for n, source := range i.Sources {
			if n > 0 {
				b = append(b, ',')
			}
			b = appendString(b, source)
		}
		b = append(b, ']')
	}
	b = appendTime(appendTime(b, "start_time", i.Start), "end_time", i.End)
	b = appendOptional(appendOptional(b, "view", i.View), "reason", i.Reason)
	if i.Graph.Permission != "" {
		b = appendString(append(b, `,"graph":{"permission":`...), i.Graph.Permission)
		b = append(appendOptional(b, "identity", i.Graph.Identity), '}')
	}
	if r.outcome != nil {
		b = r.appendOutcome(b)
	}
	return b
}

func (r *record) appendOutcome(b []byte) []byte {
	o := r.outcome
	b = appendOptional(appendString(append(b, `,"outcome":{"code":`...), o.Code), "reason", o.ErrorReason)
	b = strconv.AppendInt(append(b, `,"events":`...), o.Events, 10)
	if o.Bytes != 0 {
		b = strconv.AppendInt(append(b, `,"bytes":`...), o.Bytes, 10)
	}
	if o.Complete != nil {
		b = strconv.AppendBool(append(b, `,"complete":`...), *o.Complete)
	}
	return append(strconv.AppendInt(append(b, `,"milliseconds":`...), r.took.Milliseconds(), 10), '}')
}

// appendMember appends a member of an object that has one before it.
func appendMember(b []byte, name, text string) []byte {
	return appendString(append(append(append(b, `,"`...), name...), `":`...), text)
}

// appendOptional is appendMember without empty texts.
func appendOptional(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	return appendMember(b, name, text)
}

// appendTime appends an instant in UTC; the zero time is left out.
func appendTime(b []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":"`...)
	return append(t.UTC().AppendFormat(b, time.RFC3339Nano), '"')
}

// appendString appends a JSON string, with the escapes of encoding/json.
func appendString(b []byte, text string) []byte {
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

// printable returns a caller's text with spaces in place of characters that cannot be printed, and at most maxReason bytes of it.
func printable(text string) string {
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
