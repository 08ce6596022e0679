package failure

import (
	"errors"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/reasons"
)

// explanations are the messages of notices about gaps and sources whose cause is not known.
var explanations = map[parleyv1.ErrorReason]string{
	parleyv1.ErrorReason_ERROR_REASON_SEVERAL_DOUBTS:            "Several doubts lie close together in this span",
	parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD:       "The source does not exist in this cloud and was not asked",
	parleyv1.ErrorReason_ERROR_REASON_USER_ID_REQUIRED:          "The user's object id could not be looked up, and this source needs it",
	parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE:         "Graph did not answer, or its answer was broken; reading went on behind this span",
	parleyv1.ErrorReason_ERROR_REASON_GRAPH_REJECTED_REQUEST:    "Graph rejected a request for this span",
	parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP:               "Graph led to a page that had been read before",
	parleyv1.ErrorReason_ERROR_REASON_INTERVAL_NOT_HONOURED:     "Graph sent rows from far outside this span; they are marked out_of_window, or left out where Graph honours no bounds",
	parleyv1.ErrorReason_ERROR_REASON_PARTICIPANT_NOT_HONOURED:  "Graph sent calls that name people and not the user; they are included",
	parleyv1.ErrorReason_ERROR_REASON_PARTICIPATION_NOT_PROVED:  "Calls whose records do not prove that the user took part, or could not be read, were left out",
	parleyv1.ErrorReason_ERROR_REASON_START_BEFORE_KEPT:         "The source does not reach back as far as asked",
	parleyv1.ErrorReason_ERROR_REASON_SUSPECTED_TRUNCATION:      "Two readings of this span differ: Graph ended one of them too early",
	parleyv1.ErrorReason_ERROR_REASON_TOO_MANY_PAGES:            "This span did not end within the page limit",
	parleyv1.ErrorReason_ERROR_REASON_AMBIGUOUS_ID:              "Graph sent several things under one id and version; all of them are delivered",
	parleyv1.ErrorReason_ERROR_REASON_FILTER_NOT_EVALUATED:      "Graph did not evaluate the filter and the rows do not hold what it names; rows that may not match are included",
	parleyv1.ErrorReason_ERROR_REASON_LIST_CHANGED:              "Late events moved conversations while the list was read; one that was not delivered may be missing",
	parleyv1.ErrorReason_ERROR_REASON_USER_NOT_LICENSED:         "Graph refuses this source for this user, mostly because a licence is missing",
	parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED:           "Graph, or the gateway's own budget below Graph's limits, asks to wait longer than this call may take",
	parleyv1.ErrorReason_ERROR_REASON_SOURCE_FAILED:             sentence(meanings[graph.KindUnexpected].Words),
	parleyv1.ErrorReason_ERROR_REASON_GRAPH_CREDENTIAL_REJECTED: sentence(meanings[graph.KindCredential].Words),
	parleyv1.ErrorReason_ERROR_REASON_PAYMENT_REQUIRED:          sentence(meanings[graph.KindPaymentRequired].Words),
	parleyv1.ErrorReason_ERROR_REASON_TENANT_NOT_LICENSED:       sentence(meanings[graph.KindTenantNotLicensed].Words),
	parleyv1.ErrorReason_ERROR_REASON_GRAPH_PERMISSION_MISSING:  sentence(meanings[graph.KindForbidden].Words),
	parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND:                 sentence(meanings[graph.KindNotFound].Words),
	parleyv1.ErrorReason_ERROR_REASON_GRAPH_LINK_NOT_FOUND:      sentence(meanings[graph.KindLinkNotFound].Words),
	parleyv1.ErrorReason_ERROR_REASON_CALLER_LIMIT:              sentence(meanings[graph.KindCallerLimit].Words),
	parleyv1.ErrorReason_ERROR_REASON_CONSENT_REQUIRED:          sentence(meanings[graph.KindConsent].Words),
	parleyv1.ErrorReason_ERROR_REASON_SIGN_IN_REQUIRED:          sentence(meanings[graph.KindSignIn].Words),
	parleyv1.ErrorReason_ERROR_REASON_GRAPH_LINK_REFUSED:        sentence(meanings[graph.KindLinkRefused].Words),
}

// Notice returns the notice about the failure of a source. The cause is the failure behind the reason, nil if it is not known.
func Notice(src parleyv1.Source, reason parleyv1.ErrorReason, cause error) *parleyv1.Notice {
	return &parleyv1.Notice{Code: reasons.Text(reason), Source: src, Message: Explain(reason, cause)}
}

// Explain returns the message of a notice about a reason. The cause is the failure behind it, nil if it is not known.
func Explain(reason parleyv1.ErrorReason, cause error) string {
	if graphErr, ok := errors.AsType[*graph.Error](cause); ok {
		return sentence(MeaningOf(graphErr).Words)
	}
	return explanations[reason]
}
