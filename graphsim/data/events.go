package data

import "fmt"

// allSystemEvents are the system events: first the chatEventKinds that occur in chats, then those of teams and channels.
var allSystemEvents = [allEvents]string{
	"membersAdded", "membersDeleted", "membersJoined", "membersLeft", "chatRenamed", "callStarted", "callEnded",
	"callRecording", "callTranscript", "messagePinned", "messageUnpinned", "teamsAppInstalled", "teamsAppRemoved",
	"teamsAppUpgraded", "meetingPolicyUpdated", "conversationMemberRoleUpdated", "tabUpdated",
	"channelAdded", "channelDeleted", "channelDescriptionUpdated", "channelRenamed", "channelSetAsFavoriteByDefault",
	"channelUnsetAsFavoriteByDefault", "teamArchived", "teamCreated", "teamDescriptionUpdated", "teamJoiningDisabled",
	"teamJoiningEnabled", "teamRenamed", "teamUnarchived", "channelSharingUpdated",
}

const chatEventKinds = 17

// systemEvent is the eventDetail of a system message. beta has one kind that v1.0 does not declare; there, the detail
// carries the base type alone.
func (w *World) systemEvent(m *Message, beta bool) Object {
	n := mix(m.h+5) % chatEventKinds
	if m.Chat == chatShowcase {
		n = (uint64(m.day()) + uint64(m.k)) % allEvents
	}
	name := allSystemEvents[n]
	if name == "channelSharingUpdated" && !beta {
		return Object{{"@odata.type", "#microsoft.graph.eventMessageDetail"}}
	}
	d := Dice(mix(m.h + 6))
	o := append(Object{{"@odata.type", "#microsoft.graph." + name + "EventMessageDetail"}}, w.eventFields(name, m, &d)...)
	if name == "callTranscript" {
		return o
	}
	return append(o, Field{"initiator", w.People.teamsSet(w.organizer(m.Chat), withoutName)})
}

func (w *World) eventFields(name string, m *Message, d *Dice) Object {
	who := func() Object { return w.People.teamsIdentity(pick(d, w.Chats().Members(m.Chat)), withoutName) }
	channel := "19:" + RandomGUID(w.Seed+1).Hex() + "@thread.tacv2"
	team := RandomGUID(w.Seed + 2).String()
	app := Field{"teamsAppDisplayName", Bots[m.h%uint64(len(Bots))].name}
	appID := Field{"teamsAppId", RandomGUID(m.h % uint64(len(Bots))).String()}
	call := Field{"callId", RandomGUID(m.h).String()}
	switch name {
	case "membersAdded":
		since := noTime
		if m.h%2 == 0 {
			since = TeamsTime(m.Created - DayMS)
		}
		return Object{{"visibleHistoryStartDateTime", since}, {"members", List{who(), who()}}}
	case "membersDeleted", "membersJoined", "membersLeft":
		return Object{{"members", List{who()}}}
	case "chatRenamed":
		return Object{{"chatId", w.ChatID(m.Chat)}, {"chatDisplayName", w.topic(m.Chat)}}
	case "callStarted":
		return Object{call, {"callEventType", "meeting"}}
	case "callEnded":
		participant := Object{{"participant", w.People.teamsSet(pick(d, w.Chats().Members(m.Chat)), withoutName)}}
		return Object{call, {"callDuration", fmt.Sprintf("PT%dM%dS", 5+d.Under(50), d.Under(60))}, {"callEventType", "call"}, {"callParticipants", List{participant}}}
	case "callRecording":
		return Object{
			call,
			{"callRecordingDisplayName", "Call recording.mp4"},
			{"callRecordingUrl", "https://lindenhall-my.sharepoint.example/recordings/" + RandomGUID(m.h).Hex() + ".mp4"},
			{"callRecordingDuration", "PT40M19.26S"},
			{"callRecordingStatus", pick(d, []string{"success", "initial", "chunkFinished", "failure"})},
			{"meetingOrganizer", w.People.teamsSet(w.organizer(m.Chat), withoutName)},
		}
	case "callTranscript":
		return Object{call, {"callTranscriptICalUid", "040000008200E00074C5B7101A82E008" + RandomGUID(m.h).Hex()}, {"meetingOrganizer", w.People.teamsSet(w.organizer(m.Chat), withoutName)}}
	case "messagePinned", "messageUnpinned":
		return Object{{"eventDateTime", TeamsTime(m.Created)}}
	case "teamsAppInstalled", "teamsAppRemoved", "teamsAppUpgraded":
		return Object{appID, app}
	case "meetingPolicyUpdated":
		return Object{{"meetingChatEnabled", d.Chance(500)}, {"meetingChatId", w.ChatID(m.Chat)}}
	case "conversationMemberRoleUpdated":
		return Object{{"conversationMemberRoles", []string{"Owner"}}, {"conversationMemberUser", who()}}
	case "tabUpdated":
		return Object{{"tabId", "tab::" + RandomGUID(m.h).String()}}
	case "channelSharingUpdated":
		return Object{{"ownerTeamId", team}, {"ownerTenantId", w.ID}, {"sharedChannelId", channel}}
	}
	return channelOrTeamFields(name, channel, team)
}

func channelOrTeamFields(name, channel, team string) Object {
	switch name {
	case "channelAdded", "channelDeleted", "channelRenamed":
		return Object{{"channelId", channel}, {"channelDisplayName", "Standard channel"}}
	case "channelDescriptionUpdated":
		return Object{{"channelId", channel}, {"channelDescription", "Where the plans are."}}
	case "channelSetAsFavoriteByDefault", "channelUnsetAsFavoriteByDefault":
		return Object{{"channelId", channel}}
	case "teamCreated":
		return Object{{"teamId", team}, {"teamDisplayName", "Harbour"}, {"teamDescription", "The harbour team."}}
	case "teamDescriptionUpdated":
		return Object{{"teamId", team}, {"teamDescription", "The harbour team."}}
	case "teamRenamed":
		return Object{{"teamId", team}, {"teamDisplayName", "Harbour north"}}
	default:
		return Object{{"teamId", team}}
	}
}
