package audit

import (
	"encoding/json"
	"testing"
	"time"
)

// line is a record as encoding/json writes it: the schema, with its order of fields.
type line struct {
	Schema       string      `json:"schema"`
	Instance     string      `json:"instance"`
	Number       uint64      `json:"number"`
	Time         string      `json:"time"`
	Kind         string      `json:"kind"`
	First        uint64      `json:"intent,omitempty"`
	RequestID    string      `json:"request_id"`
	TraceID      string      `json:"trace_id,omitempty"`
	Caller       lineCaller  `json:"caller"`
	Rule         string      `json:"rule"`
	Policy       string      `json:"policy"`
	RPC          string      `json:"rpc"`
	Protocol     string      `json:"protocol,omitempty"`
	Tenant       string      `json:"tenant,omitempty"`
	TenantID     string      `json:"tenant_id,omitempty"`
	Owner        string      `json:"owner,omitempty"`
	Conversation bool        `json:"conversation,omitempty"`
	Sources      []string    `json:"sources,omitempty"`
	Start        string      `json:"start_time,omitempty"`
	End          string      `json:"end_time,omitempty"`
	View         string      `json:"view,omitempty"`
	Reason       string      `json:"reason,omitempty"`
	Outcome      *lineResult `json:"outcome,omitempty"`
}

type lineCaller struct {
	ID          string `json:"id"`
	Kind        string `json:"kind"`
	Application string `json:"application,omitempty"`
}

type lineResult struct {
	Code     string `json:"code"`
	Reason   string `json:"reason,omitempty"`
	Events   int64  `json:"events"`
	Bytes    int64  `json:"bytes,omitempty"`
	Complete *bool  `json:"complete,omitempty"`
	Millis   int64  `json:"milliseconds"`
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// TestRecordsAreJSON compares records with what encoding/json writes of the schema.
func TestRecordsAreJSON(t *testing.T) {
	t.Parallel()
	yes, now := true, time.Date(2026, 11, 22, 13, 0, 0, 5e8, time.FixedZone("", 3600))
	odd := "a\"\\<b>&\u2028\x01\xffü"
	for _, i := range []Intent{
		{},
		{
			RequestID: odd, Caller: RecordedCaller{odd, odd, odd}, Rule: odd, Policy: odd, RPC: odd, Protocol: odd, Tenant: odd, TenantID: odd, Owner: odd,
			Conversation: true, Sources: []string{"chat", odd}, Start: now, End: now.Add(time.Nanosecond), View: odd, Reason: odd,
		},
	} {
		for _, o := range []*Outcome{nil, {Code: "OK"}, {Code: odd, ErrorReason: odd, Events: -7, Bytes: 9, Complete: &yes}, {Complete: new(bool)}} {
			kind, want := KindIntent, line{}
			if o != nil {
				want.First = 7
				kind, want.Outcome = KindOutcome, &lineResult{o.Code, o.ErrorReason, o.Events, o.Bytes, o.Complete, 1500}
			}
			want.Schema, want.Instance, want.Number, want.Time, want.Kind = Schema, "k", 12, stamp(now), kind
			want.RequestID, want.Caller, want.Rule, want.Policy, want.RPC = i.RequestID, lineCaller(i.Caller), i.Rule, i.Policy, i.RPC
			want.Protocol, want.Tenant, want.TenantID, want.Owner, want.Conversation = i.Protocol, i.Tenant, i.TenantID, i.Owner, i.Conversation
			want.Sources, want.Start, want.End, want.View, want.Reason = i.Sources, stamp(i.Start), stamp(i.End), i.View, i.Reason
			text, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			r := record{&i, o, 1500 * time.Millisecond, want.First}
			if got := string(r.append(nil, "k", 12, now)) + "}"; got != string(text) {
				t.Errorf("\n got %s\nwant %s", got, text)
			}
		}
	}
}
