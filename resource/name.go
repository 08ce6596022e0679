package resource

import (
	"errors"
	"strings"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

const (
	usersCollection         = "users"
	conversationsCollection = "conversations"
	eventsCollection        = "events"
	hostedCollection        = "hostedContents"

	// AnyUser is the user segment of the whole tenant.
	AnyUser = "-"

	fieldParent = "parent"
	fieldName   = "name"

	absent      = "-" // stands for an absent part of an event id
	partEnd     = ","
	partChat    = "chat"
	partCopilot = "copilot"
	partCall    = "call"

	callPrefix = "call:" // begins the id of the conversation that is one call
)

// User returns `users/{user}`; the user AnyUser gives `users/-`.
func User(id string) string { return string(AppendUser(nil, id)) }

// AppendUser appends what User returns.
func AppendUser(b []byte, id string) []byte {
	b = append(b, usersCollection+"/"...)
	if id == AnyUser {
		return append(b, AnyUser...)
	}
	return appendSegment(b, id)
}

// Conversation returns `users/{user}/conversations/{conversation}`.
func Conversation(user, id string) string { return string(AppendConversation(nil, user, id)) }

// AppendConversation appends what Conversation returns.
func AppendConversation(b []byte, user, id string) []byte {
	return appendSegment(append(AppendUser(b, user), "/"+conversationsCollection+"/"...), id)
}

// CallConversation returns the id of the conversation that is one call record without a thread; empty for an empty id.
func CallConversation(record string) string {
	if record == "" {
		return ""
	}
	return callPrefix + record
}

// CallOfConversation returns the id of the call record that a conversation is, if it is one.
func CallOfConversation(conversation string) (record string, ok bool) {
	record, ok = strings.CutPrefix(conversation, callPrefix)
	return record, ok && record != ""
}

// AppendEvent appends `users/{user}/events/{event}`. The event id is `chat,{chat},{id}`, `copilot,{creation},{session},{id}`
// ("-" for a creation time or session that Graph did not give) or `call,{id}`, each part as a segment. A ref without
// an id or of another source has no name: nothing is appended.
func AppendEvent(b []byte, user string, ref Ref) []byte {
	if ref.ID == "" {
		return b
	}
	switch ref.Source {
	case parleyv1.Source_SOURCE_CHAT:
		b = append(AppendUser(b, user), "/"+eventsCollection+"/"+partChat+partEnd...)
		b = appendOrAbsent(b, ref.Chat)
	case parleyv1.Source_SOURCE_COPILOT:
		b = append(AppendUser(b, user), "/"+eventsCollection+"/"+partCopilot+partEnd...)
		if ref.Time.IsZero() {
			b = append(b, absent...)
		} else {
			var created [len(time.RFC3339Nano)]byte
			b = appendSegment(b, string(ref.Time.UTC().AppendFormat(created[:0], time.RFC3339Nano)))
		}
		b = appendOrAbsent(append(b, partEnd...), ref.Session)
	case parleyv1.Source_SOURCE_CALL:
		return appendSegment(append(AppendUser(b, user), "/"+eventsCollection+"/"+partCall+partEnd...), ref.ID)
	default:
		return b
	}
	return appendSegment(append(b, partEnd...), ref.ID)
}

func appendOrAbsent(b []byte, id string) []byte {
	if id == "" {
		return append(b, absent...)
	}
	return appendSegment(b, id)
}

// ParseUser reads `users/{user}` from a field named parent. Errors are *Error.
func ParseUser(name string) (user string, err error) { return parseUser(fieldParent, name) }

// ParseUserName reads `users/{user}` from a field named name. Errors are *Error.
func ParseUserName(name string) (user string, err error) { return parseUser(fieldName, name) }

func parseUser(field, name string) (user string, err error) {
	collection, user, _ := strings.Cut(name, "/")
	if collection != usersCollection || user == "" || strings.Contains(user, "/") {
		return "", &Error{Field: field, Problem: "is not of the form users/{user}", Fix: "give users/ and an Entra object id, a user principal name, or me"}
	}
	return parseUserSegment(field, user)
}

// ParseParent reads `users/{user}` or `users/{user}/conversations/{conversation}` from a field named parent;
// conversation is empty for the first form. Errors are *Error.
func ParseParent(name string) (user, conversation string, err error) {
	if strings.Count(name, "/") < 2 {
		user, err = ParseUser(name)
		return user, "", err
	}
	return parseConversation(fieldParent, name)
}

// ParseConversation reads `users/{user}/conversations/{conversation}` from a field named name. Errors are *Error.
func ParseConversation(name string) (user, conversation string, err error) {
	return parseConversation(fieldName, name)
}

func parseConversation(field, name string) (user, conversation string, err error) {
	segments := strings.Split(name, "/")
	if len(segments) != 4 || segments[0] != usersCollection || segments[2] != conversationsCollection {
		return "", "", &Error{Field: field, Problem: "is not of the form users/{user}/conversations/{conversation}", Fix: "copy the name as it was listed, or percent-encode slashes in the chat id"}
	}
	if user, err = parseUserSegment(field, segments[1]); err != nil {
		return "", "", err
	}
	if conversation, err = parseID("conversation", segments[3]); err != nil {
		return "", "", inField(field, err)
	}
	return user, conversation, nil
}

// ParseEvent reads `users/{user}/events/{event}` from a field named name. Errors are *Error.
func ParseEvent(name string) (user string, ref Ref, err error) { return ParseEventIn(fieldName, name) }

// ParseEventIn is ParseEvent for another field.
func ParseEventIn(field, name string) (user string, ref Ref, err error) {
	segments := strings.Split(name, "/")
	if len(segments) != 4 || segments[0] != usersCollection || segments[2] != eventsCollection {
		return "", Ref{}, &Error{Field: field, Problem: "is not of the form users/{user}/events/{event}", Fix: "copy the name as it was listed"}
	}
	if user, err = parseUserSegment(field, segments[1]); err != nil {
		return "", Ref{}, err
	}
	if ref, err = parseEventID(segments[3]); err != nil {
		return "", Ref{}, inField(field, err)
	}
	return user, ref, nil
}

// AppendHostedContent appends `users/{user}/events/{event}/hostedContents/{id}`. An event without a name, or an empty id, has none:
// nothing is appended.
func AppendHostedContent(b []byte, user string, ref Ref, id string) []byte {
	start := len(b)
	if b = AppendEvent(b, user, ref); id == "" || len(b) == start {
		return b[:start]
	}
	return appendSegment(append(b, "/"+hostedCollection+"/"...), id)
}

// ParseHostedContent reads `users/{user}/events/{event}/hostedContents/{id}` from a field named name. Errors are *Error.
func ParseHostedContent(name string) (user string, ref Ref, id string, err error) {
	event, seg, found := strings.Cut(name, "/"+hostedCollection+"/")
	if !found || strings.Contains(seg, "/") {
		return "", Ref{}, "", &Error{
			Field: fieldName, Problem: "is not of the form users/{user}/events/{event}/hostedContents/{id}", Fix: "copy the name as body.hosted_contents has it",
		}
	}
	if user, ref, err = ParseEvent(event); err != nil {
		return "", Ref{}, "", err
	}
	if ref.Source != parleyv1.Source_SOURCE_CHAT || ref.Chat == "" {
		return "", Ref{}, "", &Error{Field: fieldName, Problem: "the event is no message of a chat", Fix: "copy the name as body.hosted_contents has it"}
	}
	if id, err = parseID("hosted content", seg); err != nil {
		return "", Ref{}, "", inField(fieldName, err)
	}
	return user, ref, id, nil
}

func parseEventID(id string) (Ref, error) {
	if !strings.Contains(id, partEnd) && strings.Contains(strings.ToUpper(id), "%2C") {
		// The whole id was percent-encoded, its commas included. Raw parts never hold a comma.
		id = strings.NewReplacer("%2C", partEnd, "%2c", partEnd).Replace(id)
	}
	parts := strings.Split(id, partEnd)
	var ref Ref
	var err error
	switch {
	case parts[0] == partChat && len(parts) == 3:
		ref.Source = parleyv1.Source_SOURCE_CHAT
		if ref.Chat, err = parseOptional("chat", parts[1]); err == nil {
			ref.ID, err = parseID("message", parts[2])
		}
	case parts[0] == partCopilot && len(parts) == 4:
		ref.Source = parleyv1.Source_SOURCE_COPILOT
		if ref.Time, err = parseTime(parts[1]); err != nil {
			return Ref{}, err
		}
		if ref.Session, err = parseOptional("session", parts[2]); err == nil {
			ref.ID, err = parseID("interaction", parts[3])
		}
	case parts[0] == partCall && len(parts) == 2:
		ref.Source = parleyv1.Source_SOURCE_CALL
		ref.ID, err = parseID("call", parts[1])
	default:
		return Ref{}, &Error{Problem: "the event id is of no known form", Fix: "copy the name as it was listed"}
	}
	if err != nil {
		return Ref{}, err
	}
	return ref, nil
}

func parseTime(seg string) (time.Time, error) {
	if seg == absent {
		return time.Time{}, nil
	}
	text, err := ParseSegment(seg)
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.IsZero() || t.UTC().Year() < 1 || t.UTC().Year() > 9999 {
		return time.Time{}, &Error{Problem: "the creation time in the event id is not an RFC 3339 time", Fix: "copy the name as it was listed"}
	}
	return t.UTC(), nil
}

func parseUserSegment(field, seg string) (string, error) {
	if seg == AnyUser {
		return AnyUser, nil
	}
	id, err := ParseSegment(seg)
	if err != nil {
		return "", inField(field, err)
	}
	if id == AnyUser {
		err = &Error{Problem: "the user id is the encoded wildcard", Fix: "give users/- for the whole tenant"}
	} else {
		err = ValidateUser(id)
	}
	if err != nil {
		return "", inField(field, err)
	}
	return id, nil
}

func parseOptional(what, seg string) (string, error) {
	if seg == absent {
		return "", nil
	}
	return parseID(what, seg)
}

func parseID(what, seg string) (string, error) {
	id, err := ParseSegment(seg)
	if err != nil {
		return "", err
	}
	if err := validateID(what, id); err != nil {
		return "", err
	}
	return id, nil
}

// inField completes an *Error with the field that holds the name.
func inField(field string, err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.in(field)
	}
	return err
}
