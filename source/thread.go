package source

import (
	"net/url"
	"regexp"
	"strings"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// threadPattern finds a Teams thread id in text that is not percent-encoded any more.
var threadPattern = regexp.MustCompile(`19:[A-Za-z0-9_+=.~-]{1,400}@(?i:thread\.(?:v2|tacv2|skype)|unq\.gbl\.spaces)`)

const (
	meetingThreadPrefix = "19:meeting_"
	pairSuffix          = "@unq.gbl.spaces"
	contextTeamsMeeting = "TeamsMeeting"
	attachmentReference = "reference"

	maxThreadURL = 16 << 10 // bytes of a URL that are looked at
	maxUnescapes = 3        // a join URL inside a safe link inside a redirect
)

// threadOf finds the thread id inside a join URL or thread URL, however often and in whatever case it is
// percent-encoded: `…/l/meetup-join/19%3ameeting_…%40thread.v2/0?context=…`. The path is looked at before the query. It
// returns the id as chats spell it (its domain in lower case), or empty.
func threadOf(address string) string {
	if len(address) > maxThreadURL {
		address = address[:maxThreadURL]
	}
	path, _, _ := strings.Cut(address, "?")
	if id := threadIn(path); id != "" {
		return id
	}
	return threadIn(address)
}

func threadIn(text string) string {
	for range maxUnescapes {
		if id := threadPattern.FindString(text); id != "" {
			local, domain, _ := strings.Cut(id, "@")
			return local + "@" + strings.ToLower(domain)
		}
		decoded := unescapeLoosely(text)
		if decoded == text {
			break
		}
		text = decoded
	}
	return ""
}

// unescapeLoosely decodes what is percent-encoded and keeps a stray % as it is.
func unescapeLoosely(text string) string {
	if decoded, err := url.PathUnescape(text); err == nil {
		return decoded
	}
	var b strings.Builder
	for text != "" {
		if len(text) >= 3 && text[0] == '%' {
			if decoded, err := url.PathUnescape(text[:3]); err == nil {
				b.WriteString(decoded)
				text = text[3:]
				continue
			}
		}
		b.WriteByte(text[0])
		text = text[1:]
	}
	return b.String()
}

// interactionThread is the conversation that an interaction belongs to: the meeting whose thread its session is, else the
// meeting that it names, else its session. A session of a meeting may well name another meeting that is asked about.
func interactionThread(detail *parleyv1.CopilotDetail, attachments []*parleyv1.Attachment) string {
	session := detail.GetSessionId()
	if id := threadIn(session); strings.HasPrefix(id, meetingThreadPrefix) {
		return id
	}
	if id := meetingThread(detail.GetContexts(), attachments); id != "" {
		return id
	}
	return session
}

// meetingThread is the one meeting that an interaction names, by a context of type TeamsMeeting or by a reference
// attachment whose id or address is a meeting thread; empty when it names none, or several.
func meetingThread(contexts []*parleyv1.CopilotContext, attachments []*parleyv1.Attachment) string {
	found := ""
	add := func(id string) bool {
		if id == "" || id == found {
			return true
		}
		if found != "" {
			return false
		}
		found = id
		return true
	}
	for _, c := range contexts {
		if strings.EqualFold(c.GetContextType(), contextTeamsMeeting) && !add(threadOf(c.GetReference())) {
			return ""
		}
	}
	for _, a := range attachments {
		if !strings.EqualFold(a.GetContentType(), attachmentReference) {
			continue
		}
		for _, address := range []string{a.GetId(), a.GetContentUrl()} {
			if id := threadOf(address); strings.HasPrefix(id, meetingThreadPrefix) && !add(id) {
				return ""
			}
		}
	}
	return found
}
