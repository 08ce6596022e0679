package audit

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// promisedFields are the fields of parley.audit.v1 in the releases, which docs/upgrading.md promises. Fields are only ever added.
const promisedFields = "schema instance number time kind intent request_id trace_id caller id application rule policy rpc protocol tenant tenant_id " +
	"owner conversation sources start_time end_time view reason graph permission identity outcome code events bytes complete milliseconds chain"

// TestPromisedFields: what reads audit records of the version before reads those of this one.
func TestPromisedFields(t *testing.T) {
	t.Parallel()
	complete := true
	now := time.Date(2026, 11, 22, 10, 11, 12, 0, time.UTC)
	full := &record{
		intent: &Intent{
			RequestID: "r", TraceID: "t", Caller: RecordedCaller{ID: "c", Kind: "user", Application: "a"}, Rule: "r", Policy: "p", RPC: "m", Protocol: "grpc",
			Tenant: "t", TenantID: "i", Owner: "-", Conversation: true, Sources: []string{"s"}, Start: now, End: now, View: "v", Reason: "w",
			Graph: GraphIdentity{Permission: "p", Identity: "i"},
		},
		outcome: &Outcome{Code: "OK", ErrorReason: "e", Events: 1, Bytes: 1, Complete: &complete},
		first:   1,
	}
	line := string(full.append(nil, "i", 2, now)) + chainMember
	members := regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(line, -1)
	fields := make([]string, 0, len(members))
	for _, member := range members {
		fields = append(fields, member[1])
	}
	for field := range strings.FieldsSeq(promisedFields) {
		if !slices.Contains(fields, field) {
			t.Errorf("%s is gone from the records of %s: fields are only added, see docs/upgrading.md; another form needs another schema", field, Schema)
		}
	}
}
