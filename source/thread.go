package source

import (
	"bytes"
	"cmp"
	"net/url"
	"regexp"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-gateway/parley/eventwire"
	"github.com/parley-gateway/parley/source/graphmap"
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

// unescapeLoosely decodes percent-encoded bytes and leaves a stray % as it is.
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

// interactionConversation is the conversation that an interaction belongs to: the meeting whose thread its session is, else the
// meeting that it names, else its session. A session of a meeting may well name another meeting that is asked about.
func interactionConversation(d *graphmap.Draft, session string) string {
	if id := threadIn(session); strings.HasPrefix(id, meetingThreadPrefix) {
		return id
	}
	return cmp.Or(namedMeeting(d), session)
}

// namedMeeting is the one meeting that an interaction names, by a context of type TeamsMeeting or by a reference
// attachment whose id or address is a meeting thread; empty when it names none, or several.
func namedMeeting(d *graphmap.Draft) string {
	var meetings []string
	for c := d.Child(eventDetail, eventwire.CopilotDetailContexts); c != graphmap.NoNode; c = d.Sibling(c) {
		if bytes.EqualFold(d.Text(d.Child(c, eventwire.CopilotContextContextType)), []byte(contextTeamsMeeting)) {
			meetings = append(meetings, threadOf(textOf(d, c, eventwire.CopilotContextReference)))
		}
	}
	for a := d.Child(eventRoot, eventwire.EventAttachments); a != graphmap.NoNode; a = d.Sibling(a) {
		if !bytes.EqualFold(d.Text(d.Child(a, eventwire.AttachmentContentType)), []byte(attachmentReference)) {
			continue
		}
		for _, number := range []protowire.Number{eventwire.AttachmentID, eventwire.AttachmentContentURL} {
			if id := threadOf(textOf(d, a, number)); strings.HasPrefix(id, meetingThreadPrefix) {
				meetings = append(meetings, id)
			}
		}
	}
	named := ""
	for _, id := range meetings {
		switch {
		case id == "":
		case named == "":
			named = id
		case named != id:
			return ""
		}
	}
	return named
}
