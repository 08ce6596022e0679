package summary

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

const (
	locale     = "en"
	kindSuffix = "EventMessageDetail"

	maxNames = 10  // names of people in a summary
	maxText  = 200 // characters of a text
)

// place is the sort of conversation that a note stands in.
type place string

const (
	inChat    place = "chat"
	inMeeting place = "meeting"
	inTeam    place = "team"
)

// placeOf tells a meeting by the form of its thread id.
func placeOf(detail *parleyv1.SystemDetail, thread string) place {
	switch {
	case detail.GetMessage().GetChannel() != nil:
		return inTeam
	case strings.HasPrefix(thread, "19:meeting_"):
		return inMeeting
	default:
		return inChat
	}
}

// Note returns the summary of a note of Teams; thread is the id of its chat. It is nil for a detail that has no template.
func Note(detail *parleyv1.SystemDetail, thread string) *parleyv1.EventSummary {
	choose := notes[strings.TrimSuffix(detail.GetEventType(), kindSuffix)]
	if choose == nil {
		return nil
	}
	return render(choose(detail, placeOf(detail, thread)), func(name string) *value { return noteValue(detail, name) })
}

// Call is the summary of a call record; people is negative where nobody knows how many there were.
func Call(start, end time.Time, people int) *parleyv1.EventSummary {
	return render("call", func(name string) *value {
		switch {
		case name == argDuration && !start.IsZero() && !end.Before(start):
			return durationValue(end.Sub(start))
		case name == argPeople && people > 0:
			return countValue(people)
		default:
			return nil
		}
	})
}

// value is the value of a name of a template, and its English text.
type value struct {
	texts  []string
	number *int32
	text   string
}

func durationValue(d time.Duration) *value {
	seconds := int32(min(max(d, 0)/time.Second, 1<<31-1))
	return &value{number: &seconds, text: durationText(d)}
}

func countValue(people int) *value {
	return &value{number: new(int32(min(people, 1<<31-1))), text: count(people, "person", "people")}
}

// textValue returns the value of texts that people or applications wrote; nil if all are empty.
func textValue(texts ...string) *value {
	v := &value{}
	for _, text := range texts {
		if text = oneLine(text); text != "" && len(v.texts) < maxNames {
			v.texts = append(v.texts, text)
		}
	}
	if len(v.texts) == 0 {
		return nil
	}
	v.text = strings.Join(v.texts, ", ")
	return v
}

// noteValue returns the value of a name of a note's template; nil if the detail does not hold it.
func noteValue(d *parleyv1.SystemDetail, name string) *value {
	switch name {
	case argInitiator:
		return personValue(displayName(d.GetInitiator()))
	case argMembers:
		if member := d.GetConversationMemberUser(); member != nil {
			return peopleValue([]*parleyv1.Identity{member})
		}
		return peopleValue(d.GetMembers())
	case argRoles:
		return textValue(d.GetConversationMemberRoles()...)
	case argText:
		return textValue(cmp.Or(d.GetChannelDescription(), d.GetTeamDescription()))
	case argName:
		return textValue(cmp.Or(d.GetCallRecordingDisplayName(), d.GetChannelDisplayName(), d.GetChatDisplayName(), d.GetTeamDisplayName(),
			d.GetTeamsAppDisplayName()))
	case argPeople:
		if n := len(d.GetCallParticipants()); n > 0 {
			return countValue(n)
		}
	case argDuration:
		if length := cmp.Or(d.GetCallDuration(), d.GetCallRecordingDuration()); length != nil && length.AsDuration() >= 0 {
			return durationValue(length.AsDuration())
		}
	}
	return nil
}

// displayName is the name of whoever acted: mostly a person, sometimes an application.
func displayName(of *parleyv1.IdentitySet) string {
	for _, identity := range []*parleyv1.Identity{of.GetUser(), of.GetApplication(), of.GetPhone(), of.GetGuest(), of.GetDevice()} {
		if name := identity.GetDisplayName(); name != "" {
			return name
		}
	}
	return ""
}

// personValue is one person, known by name or not.
func personValue(name string) *value {
	if v := textValue(name); v != nil {
		return v
	}
	return &value{text: "someone"}
}

// peopleValue names people, as far as their names are known, and counts the others.
func peopleValue(people []*parleyv1.Identity) *value {
	v := &value{number: new(int32(min(len(people), 1<<31-1)))}
	for _, person := range people {
		if name := oneLine(person.GetDisplayName()); name != "" && len(v.texts) < maxNames {
			v.texts = append(v.texts, name)
		}
	}
	parts, others := v.texts, len(people)-len(v.texts)
	switch {
	case len(people) == 0 || others == 1 && len(parts) == 0:
		v.text = "someone"
		return v
	case len(parts) == 0:
		v.text = count(others, "person", "people")
		return v
	case others > 0:
		parts = append(slices.Clip(parts), count(others, "other", "others"))
	}
	if last := len(parts) - 1; last > 0 {
		v.text = strings.Join(parts[:last], ", ") + " and " + parts[last]
	} else {
		v.text = parts[0]
	}
	return v
}

func count(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + several
}

// durationText is a duration for people, rounded down.
func durationText(d time.Duration) string {
	hours, minutes := int(d/time.Hour), int(d%time.Hour/time.Minute)
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + " s"
	case hours == 0:
		return strconv.Itoa(minutes) + " min"
	case minutes == 0:
		return strconv.Itoa(hours) + " h"
	default:
		return strconv.Itoa(hours) + " h " + strconv.Itoa(minutes) + " min"
	}
}

// oneLine puts a text into one line, truncated to the length of the texts of a summary.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= maxText {
		return text
	}
	at := 0
	for range maxText - 1 {
		_, n := utf8.DecodeRuneInString(text[at:])
		at += n
	}
	return text[:at] + "…"
}

// render fills the template of a key. In square brackets, a name without a value is left out together with the text around it.
func render(key string, of func(name string) *value) *parleyv1.EventSummary {
	s := &parleyv1.EventSummary{Locale: locale, TemplateKey: key}
	var line strings.Builder
	for rest := templates[key]; rest != ""; {
		at := strings.IndexAny(rest, "[{")
		if at < 0 {
			line.WriteString(rest)
			break
		}
		line.WriteString(rest[:at])
		part, after, _ := strings.Cut(rest[at:], "}")
		if rest[at] == '[' {
			var tail string
			tail, after, _ = strings.Cut(after, "]")
			before, name, _ := strings.Cut(part[1:], "{")
			if v := of(name); v != nil {
				line.WriteString(before + v.text + tail)
				s.Arguments = append(s.Arguments, v.argument(name))
			}
		} else if v := of(part[1:]); v != nil {
			text := v.text
			if line.Len() == 0 && len(v.texts) == 0 {
				text = strings.ToUpper(text[:1]) + text[1:] // a name stays as it is written
			}
			line.WriteString(text)
			s.Arguments = append(s.Arguments, v.argument(part[1:]))
		}
		rest = after
	}
	s.Text = line.String()
	return s
}

func (v *value) argument(name string) *parleyv1.EventSummaryArgument {
	return &parleyv1.EventSummaryArgument{Name: name, Texts: v.texts, Number: v.number}
}
