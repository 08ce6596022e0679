// Package resource formats and parses the resource names of parley.v1 (AIP-122), such as users/…/events/…. It makes names of the ids that
// Graph gives, and reads these ids out of the names that requests hold. In a name, an id with unusual characters is encoded. A name that is
// not valid gives an *Error, which says what to write instead.
package resource

import (
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// Ref names one record inside its Graph API.
type Ref struct {
	// Source is the API that holds the record: copilot, chat or call.
	Source parleyv1.Source
	// Chat is the chat id of a message, Session the thread of an interaction (may be empty), ID the record's own id.
	Chat, Session, ID string
	// Time is the creation instant of an interaction; zero for the other sources.
	Time time.Time
	// Version is the lowest version of a call record that is accepted; 0 = the newest is read. It is no part of a name.
	Version int64
}
