package audit

import (
	"strings"

	"google.golang.org/grpc/codes"
)

// CodeName is a code as the contract writes it, such as PERMISSION_DENIED.
func CodeName(code codes.Code) string {
	if code == codes.OK {
		return "OK"
	}
	var name strings.Builder
	for i, c := range code.String() {
		if 'A' <= c && c <= 'Z' && i > 0 {
			name.WriteByte('_')
		}
		name.WriteRune(c)
	}
	return strings.ToUpper(name.String())
}
