// Package audit records who read whose data: an `intent` before the first byte of an answer and an `outcome` at its end,
// as JSON lines of a stable schema, to a sink of their own. What cannot be recorded is not done. Records hold ids, never
// content: no message body, token, filter literal or user name.
package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// Schema names the form of the records. Fields are only ever added to it.
const Schema = "parley.audit.v1"

// Kinds of records.
const (
	KindIntent  = "intent"
	KindOutcome = "outcome"
)

// maxReason is the longest reason that is recorded, in bytes.
const maxReason = 512

// Caller is who asks, in a record.
type Caller struct {
	// ID is the caller's stable name; Kind is user, application, certificate or anonymous.
	ID   string `json:"id"`
	Kind string `json:"kind"`
	// Application is the id of the application that calls; empty where there is none.
	Application string `json:"application,omitempty"`
}

// Intent is what a call is about to read.
type Intent struct {
	// RequestID ties intent, outcome, log lines and the caller's own records together.
	RequestID string
	Caller    Caller
	// Rule allows the call; Policy is the digest of the policy that it is of.
	Rule, Policy string
	// RPC is the method's name; Door says how it was called: grpc or rest.
	RPC, Door string
	// Tenant is the alias and TenantID the id of the tenant that is read.
	Tenant, TenantID string
	// Owner is whose data are read: an object id, "-" for the whole tenant, empty for methods without a user. See Owner.
	Owner string
	// Conversation says that one conversation is asked for; its id is not recorded.
	Conversation bool
	// Sources, Start, End (zero = open) and View are what is asked for.
	Sources    []string
	Start, End time.Time
	View       string
	// Reason is why, in the caller's words (the parley-reason header).
	Reason string
}

// Outcome is how a call ended.
type Outcome struct {
	// Code is the gRPC code as a word, such as OK; ErrorReason the reason of an error.
	Code, ErrorReason string
	// Events is how many events, conversations, rows or users were handed out; Bytes how many bytes of a download.
	Events, Bytes int64
	// Complete says what the answer said of itself; nil where it says nothing.
	Complete *bool
}

// record is one line.
type record struct {
	Schema   string `json:"schema"`
	Instance string `json:"instance"`
	Number   uint64 `json:"number"`
	Time     string `json:"time"`
	Kind     string `json:"kind"`

	RequestID    string   `json:"request_id"`
	Caller       Caller   `json:"caller"`
	Rule         string   `json:"rule"`
	Policy       string   `json:"policy"`
	RPC          string   `json:"rpc"`
	Door         string   `json:"door,omitempty"`
	Tenant       string   `json:"tenant,omitempty"`
	TenantID     string   `json:"tenant_id,omitempty"`
	Owner        string   `json:"owner,omitempty"`
	Conversation bool     `json:"conversation,omitempty"`
	Sources      []string `json:"sources,omitempty"`
	Start        string   `json:"start_time,omitempty"`
	End          string   `json:"end_time,omitempty"`
	View         string   `json:"view,omitempty"`
	Reason       string   `json:"reason,omitempty"`

	Outcome *outcome `json:"outcome,omitempty"`
}

type outcome struct {
	Code     string `json:"code"`
	Reason   string `json:"reason,omitempty"`
	Events   int64  `json:"events"`
	Bytes    int64  `json:"bytes,omitempty"`
	Complete *bool  `json:"complete,omitempty"`
	Millis   int64  `json:"milliseconds"`
}

func (i *Intent) record() record {
	return record{
		Schema: Schema, Kind: KindIntent, RequestID: i.RequestID, Caller: i.Caller, Rule: i.Rule, Policy: i.Policy,
		RPC: i.RPC, Door: i.Door, Tenant: i.Tenant, TenantID: i.TenantID, Owner: Owner(i.Owner), Conversation: i.Conversation,
		Sources: i.Sources, Start: stamp(i.Start), End: stamp(i.End), View: i.View, Reason: readable(i.Reason),
	}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

var uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// Owner is the user of a request as records hold it: object ids and "-" verbatim. Anything else may be a name (a user
// principal name that could not be resolved, say) and becomes a digest, equal for equal names.
func Owner(user string) string {
	if user == "" || user == "-" || uuidForm.MatchString(user) {
		return strings.ToLower(user)
	}
	sum := sha256.Sum256([]byte("parley audit owner\x00" + strings.ToLower(user)))
	return "sha256:" + hex.EncodeToString(sum[:16])
}

// readable cuts a caller's text and takes out what is not to be seen in it.
func readable(text string) string {
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
