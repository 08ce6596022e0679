package failure

import (
	"strconv"
	"strings"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
)

// Meaning is a failure of Graph in the terms of the contract. graph.Kind says what Graph itself meant.
type Meaning struct {
	// Reason is why, as the contract names it.
	Reason parleyv1.ErrorReason
	// State is the state of a source that stops with the failure.
	State parleyv1.SourceState
	// Words tell people what happened and who has to do what.
	Words string
}

const (
	failed        = parleyv1.SourceState_SOURCE_STATE_FAILED
	notPermitted  = parleyv1.SourceState_SOURCE_STATE_NOT_PERMITTED
	refusedToUser = parleyv1.SourceState_SOURCE_STATE_REFUSED_FOR_USER
	throttled     = parleyv1.SourceState_SOURCE_STATE_THROTTLED
)

var meanings = map[graph.Kind]Meaning{
	graph.KindUnexpected: {parleyv1.ErrorReason_ERROR_REASON_SOURCE_FAILED, failed, "the source failed in a way that the gateway does not know"},
	graph.KindBadRequest: {parleyv1.ErrorReason_ERROR_REASON_GRAPH_REJECTED_REQUEST, failed, "Graph rejected the gateway's request; its request id helps Microsoft's support"},
	graph.KindGone:       {parleyv1.ErrorReason_ERROR_REASON_GRAPH_REJECTED_REQUEST, failed, "Graph says that what was asked for is gone; its request id helps Microsoft's support"},
	graph.KindCredential: {parleyv1.ErrorReason_ERROR_REASON_GRAPH_CREDENTIAL_REJECTED, failed, "Graph or Entra ID rejected the gateway's credential; the operator has to renew or consent it"},
	graph.KindPaymentRequired: {
		parleyv1.ErrorReason_ERROR_REASON_PAYMENT_REQUIRED, failed, "Graph asks for payment before it serves this: the evaluation is used up, or billing is not set up for the gateway's application; " +
			"an administrator has to link an Azure subscription to it, or the operator to set the billing model (graph-model). It was not asked again",
	},
	graph.KindTenantNotLicensed: {
		parleyv1.ErrorReason_ERROR_REASON_TENANT_NOT_LICENSED, failed, "the tenant has no licence that Graph asks for here; an administrator has to buy one. It was not asked again",
	},
	graph.KindUserNotLicensed: {
		parleyv1.ErrorReason_ERROR_REASON_USER_NOT_LICENSED, refusedToUser, "the user has no licence that Graph asks for here; an administrator has to assign one in the Microsoft 365 admin centre",
	},
	graph.KindUserRefused: {
		parleyv1.ErrorReason_ERROR_REASON_USER_NOT_LICENSED, refusedToUser, "Graph refuses this source for this user and gives no reason, mostly because a licence is missing; " +
			"an administrator can look at the user's licences. Where every user meets this, the gateway's application lacks the permission",
	},
	graph.KindUserRole: {
		parleyv1.ErrorReason_ERROR_REASON_GRAPH_PERMISSION_MISSING, notPermitted, "the signed-in user, on whose behalf Graph is asked, lacks an Entra role that may read usage reports: an administrator has to assign one of " +
			strings.Join(graph.ReportRoles(), ", ") + ". A user who has one lacks the consent to Reports.Read.All",
	},
	graph.KindForbidden: {
		parleyv1.ErrorReason_ERROR_REASON_GRAPH_PERMISSION_MISSING, notPermitted, "the gateway's application lacks a Graph permission for this; an administrator has to grant it in Entra ID",
	},
	graph.KindAccessDenied: {
		parleyv1.ErrorReason_ERROR_REASON_GRAPH_PERMISSION_MISSING, notPermitted, "Graph's check of who may see this chat refuses it to the gateway's application, mostly because another tenant owns it",
	},
	graph.KindRefused: {
		parleyv1.ErrorReason_ERROR_REASON_GRAPH_PERMISSION_MISSING, notPermitted, "Graph refuses this and gives no reason, mostly because the gateway's application lacks a permission; an administrator can look at its permissions in Entra ID",
	},
	graph.KindNotFound: {parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND, failed, "Graph does not know the user, or what was asked for below it"},
	graph.KindLinkNotFound: {
		parleyv1.ErrorReason_ERROR_REASON_GRAPH_LINK_NOT_FOUND, failed, "Graph does not find a page to which it gave the link itself; it was read again once, in vain",
	},
	graph.KindThrottled: {parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED, throttled, "Graph asks to wait longer than this call may take"},
	graph.KindCallerLimit: {
		parleyv1.ErrorReason_ERROR_REASON_CALLER_LIMIT, throttled, "this caller's requests to Graph are used up until midnight UTC",
	},
	graph.KindConsent: {
		parleyv1.ErrorReason_ERROR_REASON_CONSENT_REQUIRED, notPermitted, "Graph is asked on behalf of the user here, and neither the user nor an administrator has consented to " +
			"the delegated permissions of the gateway's application (Chat.Read, for usage Reports.Read.All); consent in Entra ID, then call again",
	},
	graph.KindSignIn: {
		parleyv1.ErrorReason_ERROR_REASON_SIGN_IN_REQUIRED, failed, "Graph is asked on behalf of the user here, and Entra ID does not exchange this token for one of Graph; " +
			"sign in again, for the application id of the gateway itself, and with the claims in the metadata if there are any",
	},
	graph.KindLinkRefused: {parleyv1.ErrorReason_ERROR_REASON_GRAPH_LINK_REFUSED, failed, "Graph gave a link to another host; it was not followed"},
	graph.KindUnavailable: {parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE, failed, "Graph did not give a usable answer"},
	graph.KindMalformed:   {parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE, failed, "Graph did not give a usable answer"},
	graph.KindTooLarge:    {parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE, failed, "an answer of Graph is larger than the gateway accepts"},
	graph.KindLoginUnavailable: {
		parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE, failed, "the login service (Entra ID) did not give a usable answer, so that Graph could not be asked",
	},
	graph.KindCanceled: {parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE, failed, "the call ended before Graph answered"},
}

// MeaningOf returns the meaning of a failed request to Graph.
func MeaningOf(err *graph.Error) Meaning {
	m, ok := meanings[err.Kind]
	switch {
	case !ok:
		m = meanings[graph.KindUnexpected]
	case err.Kind == graph.KindUnexpected && err.Status >= 400:
		m = meanings[graph.KindBadRequest]
	case err.Kind == graph.KindThrottled && err.OwnBudget:
		m.Words = "the gateway's own budget for requests of this kind, which keeps below Graph's published limit, is used up, and the queue for it is longer than this call may take; Graph has not asked to wait"
	case err.Kind == graph.KindLoginUnavailable && err.Cause != "":
		m.Words = "the login service (Entra ID) was not reached, so that Graph could not be asked: " + err.Cause.Words()
	case err.Kind == graph.KindLoginUnavailable && err.Status != 0:
		m.Words = "the login service (Entra ID) answered " + strconv.Itoa(err.Status) + ", so that Graph could not be asked"
	case err.Kind == graph.KindUnavailable && err.Cause != "":
		m.Words += ": " + err.Cause.Words()
	}
	return m
}

// sentence begins a text with a capital letter.
func sentence(words string) string {
	if words == "" {
		return ""
	}
	return strings.ToUpper(words[:1]) + words[1:]
}
