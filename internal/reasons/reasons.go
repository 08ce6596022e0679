// Package reasons writes and reads ErrorReason and NoticeCode as they travel: a string, the name of the value without the prefix
// of its enumeration.
package reasons

import (
	"strings"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

const (
	reasonPrefix = "ERROR_REASON_"
	noticePrefix = "NOTICE_CODE_"
)

// Text returns a reason as it travels; empty for the unspecified one.
func Text(reason parleyv1.ErrorReason) string {
	if reason == parleyv1.ErrorReason_ERROR_REASON_UNSPECIFIED {
		return ""
	}
	return strings.TrimPrefix(reason.String(), reasonPrefix)
}

// Code returns the code of a notice as it travels; empty for the unspecified one.
func Code(code parleyv1.NoticeCode) string {
	if code == parleyv1.NoticeCode_NOTICE_CODE_UNSPECIFIED {
		return ""
	}
	return strings.TrimPrefix(code.String(), noticePrefix)
}

// Parse returns the reason of a text that Text wrote; the unspecified one for any other text.
func Parse(text string) parleyv1.ErrorReason {
	return parleyv1.ErrorReason(parleyv1.ErrorReason_value[reasonPrefix+text])
}
