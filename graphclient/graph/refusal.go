package graph

import (
	"cmp"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// Situation holds the facts about a request on which the meaning of its refusal depends, beside the answer itself.
type Situation struct {
	API            string
	AboutUser      bool // the request is about one user's data as such, not about one chat or call
	OnBehalf       bool // it was asked with a user's token
	ByLink         bool // it was asked by a link that Graph gave
	OthersAnswered bool // Graph has answered other users of this API lately
}

// statusOfCode are the codes that say more than the status that they came with, in lower case.
var statusOfCode = map[string]int{
	"badrequest": 400, "invalidrequest": 400, "request_badrequest": 400, "request_unsupportedquery": 400,
	"unauthorized": 401, "invalidauthenticationtoken": 401,
	"paymentrequired": 402,
	"forbidden":       403, "accessdenied": 403, "authorization_requestdenied": 403,
	"notfound": 404, "itemnotfound": 404, "resourcenotfound": 404, "request_resourcenotfound": 404,
	"gone":            410,
	"toomanyrequests": 429, "activitylimitreached": 429, "applicationthrottled": 429,
	"internalservererror": 500, "internalerror": 500, "generalexception": 500,
	"serviceunavailable": 503, "servicenotavailable": 503, "temporarilyunavailable": 503,
	"timeout": 504, "requesttimeout": 504, "gatewaytimeout": 504,
}

// effectiveStatus is the status by which an answer is classified. An error inside a success has the status of its code; with an unknown
// code it is a broken answer, which may be whole the next time. In other answers a code of temporary trouble takes the place of the status,
// and so does 503 in a 400 that says nothing at all: both were seen of requests that Graph answered a moment later.
func (f *fault) effectiveStatus(status int) int {
	inside, passing := 0, 0 // the first that a code means, and the first temporary one
	for _, code := range append([]string{f.status}, f.codes...) {
		ofCode := statusOfCode[strings.ToLower(code)]
		if n, err := strconv.Atoi(code); err == nil && n >= http.StatusBadRequest && n < 600 {
			ofCode = n
		}
		inside = cmp.Or(inside, ofCode)
		if temporary(ofCode) {
			passing = cmp.Or(passing, ofCode)
		}
	}
	switch {
	case status == http.StatusOK && inside == 0:
		return http.StatusServiceUnavailable
	case status == http.StatusOK:
		return inside
	case status == http.StatusBadRequest && f.silent:
		return http.StatusServiceUnavailable
	case passing != 0 && status >= http.StatusBadRequest && status != http.StatusUnauthorized && status != http.StatusPaymentRequired:
		return passing
	default:
		return status
	}
}

func temporary(status int) bool {
	return status >= http.StatusInternalServerError || KindOf(status) == KindThrottled
}

// Words of Graph's messages, in lower case and without addresses. Microsoft documents no codes for what they say.
var (
	address     = regexp.MustCompile(`https?://\S+`)
	whoNeeds    = regexp.MustCompile(`\b(user|tenant|organi[sz]ation|company)\b[^.\n]*?\b(?:needs?|requires?|must have|has no|have no|lacks?|(?:does|do)(?: not|n't) have|without)\b[^.\n]*\blicen[sc]e`)
	license     = regexp.MustCompile(`\blicen[sc](?:e|es|ed|ing)\b|\bunlicen[sc]ed\b`)
	payment     = regexp.MustCompile(`\b(?:evaluation|billing|payments?|metered|capacity|azure subscription)\b`)
	charge      = regexp.MustCompile(`\b(?:subscription|model|quota|credits?)\b`) // where no licence is spoken of
	permission  = regexp.MustCompile(`\bauthorization_(?:requestdenied|identitynotfound)\b|\bs2sunauthorized\b|\binsufficient ?privileges\b|\bmissing (?:role|scope) permissions?\b|\binvalid permission\b|\brequires one of\b`)
	accessCheck = "aclcheckfailed"
)

// classify classifies a refusal. It is the only place that reads status, codes and messages. personal says that a refusal that might
// concern every user concerns the request's user, as far as the answer tells.
func (f *fault) classify(status int, at Situation) (kind Kind, personal bool) {
	text := address.ReplaceAllString(strings.ToLower(f.text), "")
	status = f.effectiveStatus(status)
	switch status {
	case http.StatusPaymentRequired:
		return paymentKind(text, at)
	case http.StatusForbidden:
		return forbiddenKind(text, at), false
	case http.StatusNotFound:
		switch {
		case at.ByLink:
			return KindLinkNotFound, false
		case license.MatchString(text):
			return licenceKind(text, at), false
		}
	}
	return KindOf(status), false
}

// paymentKind decides which of three things a 402 is about: the licence of one user, the licence of the tenant, or the payment of
// all requests. A 402 that does not say counts as one about its user until other users get it.
func paymentKind(text string, at Situation) (kind Kind, personal bool) {
	text = strings.ReplaceAll(text, "payment required", "") // the status in words
	switch {
	case whoNeeds.MatchString(text):
		return licenceKind(text, at), false
	case payment.MatchString(text):
		return KindPaymentRequired, false
	case license.MatchString(text):
		return licenceKind(text, at), false
	case charge.MatchString(text):
		return KindPaymentRequired, false
	default:
		return KindPaymentRequired, at.AboutUser
	}
}

// licenceKind returns the kind of a missing licence: of the user or tenant that the sentence names, else of the user of the request.
func licenceKind(text string, at Situation) Kind {
	who := ""
	if found := whoNeeds.FindStringSubmatch(text); found != nil {
		who = found[1]
	} else if at.AboutUser || strings.Contains(text, "user") {
		who = "user"
	}
	if who == "user" {
		return KindUserNotLicensed
	}
	return KindTenantNotLicensed
}

// forbiddenKind returns the kind of a 403.
func forbiddenKind(text string, at Situation) Kind {
	switch {
	case strings.Contains(text, "insufficient_claims"):
		if at.OnBehalf {
			return KindSignIn
		}
		return KindCredential
	case strings.Contains(text, "requires one of"):
		return KindForbidden
	case at.OnBehalf && at.API == APIUsage:
		return KindUserRole
	case license.MatchString(text):
		return licenceKind(text, at)
	case permission.MatchString(text):
		return KindForbidden
	case strings.Contains(text, accessCheck):
		return KindAccessDenied
	case at.AboutUser && !at.OnBehalf && (at.API == APICopilot || at.OthersAnswered):
		return KindUserRefused
	default:
		return KindRefused
	}
}

// KindOf maps an HTTP status that is not a success.
func KindOf(status int) Kind {
	switch status {
	case http.StatusBadRequest:
		return KindBadRequest
	case http.StatusUnauthorized:
		return KindCredential
	case http.StatusPaymentRequired:
		return KindPaymentRequired
	case http.StatusForbidden:
		return KindRefused
	case http.StatusNotFound:
		return KindNotFound
	case http.StatusGone:
		return KindGone
	case http.StatusTooManyRequests, 509: // 509 = bandwidth limit exceeded
		return KindThrottled
	case http.StatusRequestTimeout, http.StatusProxyAuthRequired:
		return KindUnavailable
	}
	if status >= http.StatusInternalServerError {
		return KindUnavailable
	}
	return KindUnexpected
}

// ReportRoles are the Entra roles with which a signed-in user may read usage reports of users.
func ReportRoles() []string {
	return []string{
		"Reports Reader", "Global Administrator", "AI Administrator", "Exchange Administrator", "SharePoint Administrator",
		"Skype for Business Administrator", "Teams Administrator", "Teams Communications Administrator",
	}
}

// rolesNeeded finds "API requires one of 'A, B'" in a message.
var rolesNeeded = regexp.MustCompile(`(?i)requires one of:?\s*['"]([^'"]*)['"]`)

// neededRoles reads the permissions that a 403 names.
func neededRoles(text string) []string {
	found := rolesNeeded.FindStringSubmatch(text)
	if found == nil {
		return nil
	}
	var roles []string
	for role := range strings.SplitSeq(found[1], ",") {
		if role = Identifier(strings.TrimSpace(role)); role != "" && len(roles) < 32 {
			roles = append(roles, role)
		}
	}
	return roles
}
