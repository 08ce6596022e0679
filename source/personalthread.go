package source

import (
	"regexp"
	"strings"
)

// Some threads are no chats: Teams files a user's notes, saved messages and notifications under ids of their own. Graph knows their
// messages alone, below the user's own path; asked for the chat or its members it answers 400.

// everyUserPrefix begins the ids of threads that each user has under the same id, such as 48:notes.
const everyUserPrefix = "48:"

// notesPattern finds the user in the id of a thread of notes that is the user's alone.
var notesPattern = regexp.MustCompile(`(?i)^19:[^@]*notes[^@0-9a-z]*([0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12})@thread\.v2$`)

// EveryUserHas reports whether each user has a thread of their own under this id. Names and digests of its messages hold the owner.
func EveryUserHas(thread string) bool { return strings.HasPrefix(thread, everyUserPrefix) }

// isPersonalThread reports whether a thread is no chat but the user's own. The path below the user verifies it, and nothing else does.
func isPersonalThread(user, thread string) bool {
	if EveryUserHas(thread) {
		return true
	}
	found := notesPattern.FindStringSubmatch(thread)
	plain := strings.NewReplacer("-", "")
	return len(found) > 1 && strings.EqualFold(plain.Replace(found[1]), plain.Replace(user))
}

// threadBudget names whose requests count together: those for one thread of one user, where each has their own.
func threadBudget(user, thread string) string {
	if EveryUserHas(thread) {
		return user + "/" + thread
	}
	return thread
}
