package graphsim

import "fmt"

// chatEvents are the system events that occur in chats; allSystemEvents adds those of teams and channels.
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
func (w *world) systemEvent(m *message, beta bool) object {
	n := mix(m.h+5) % chatEventKinds
	if m.chat == chatShowcase {
		n = (uint64(m.day()) + uint64(m.k)) % allEvents
	}
	name := allSystemEvents[n]
	if name == "channelSharingUpdated" && !beta {
		return object{{"@odata.type", "#microsoft.graph.eventMessageDetail"}}
	}
	d := dice(mix(m.h + 6))
	o := append(object{{"@odata.type", "#microsoft.graph." + name + "EventMessageDetail"}}, w.eventFields(name, m, &d)...)
	if name == "callTranscript" {
		return o
	}
	return append(o, field{"initiator", w.people.teamsSet(w.organizer(m.chat), false)})
}

func (w *world) eventFields(name string, m *message, d *dice) object {
	who := func() object { return w.people.teamsIdentity(pick(d, w.chats().of(m.chat)), false) }
	channel := "19:" + randomGUID(w.seed+1).hex() + "@thread.tacv2"
	team := randomGUID(w.seed + 2).String()
	app := field{"teamsAppDisplayName", bots[m.h%uint64(len(bots))].name}
	appID := field{"teamsAppId", randomGUID(m.h % uint64(len(bots))).String()}
	call := field{"callId", randomGUID(m.h).String()}
	switch name {
	case "membersAdded":
		since := noTime
		if m.h%2 == 0 {
			since = teamsTime(m.created - dayMS)
		}
		return object{{"visibleHistoryStartDateTime", since}, {"members", list{who(), who()}}}
	case "membersDeleted", "membersJoined", "membersLeft":
		return object{{"members", list{who()}}}
	case "chatRenamed":
		return object{{"chatId", w.chatID(m.chat)}, {"chatDisplayName", w.topic(m.chat)}}
	case "callStarted":
		return object{call, {"callEventType", "meeting"}}
	case "callEnded":
		participant := object{{"participant", w.people.teamsSet(pick(d, w.chats().of(m.chat)), false)}}
		return object{call, {"callDuration", fmt.Sprintf("PT%dM%dS", 5+d.under(50), d.under(60))}, {"callEventType", "call"}, {"callParticipants", list{participant}}}
	case "callRecording":
		return object{
			call,
			{"callRecordingDisplayName", "Call recording.mp4"},
			{"callRecordingUrl", "https://lindenhall-my.sharepoint.example/recordings/" + randomGUID(m.h).hex() + ".mp4"},
			{"callRecordingDuration", "PT40M19.26S"},
			{"callRecordingStatus", pick(d, []string{"success", "initial", "chunkFinished", "failure"})},
			{"meetingOrganizer", w.people.teamsSet(w.organizer(m.chat), false)},
		}
	case "callTranscript":
		return object{call, {"callTranscriptICalUid", "040000008200E00074C5B7101A82E008" + randomGUID(m.h).hex()}, {"meetingOrganizer", w.people.teamsSet(w.organizer(m.chat), false)}}
	case "messagePinned", "messageUnpinned":
		return object{{"eventDateTime", teamsTime(m.created)}}
	case "teamsAppInstalled", "teamsAppRemoved", "teamsAppUpgraded":
		return object{appID, app}
	case "meetingPolicyUpdated":
		return object{{"meetingChatEnabled", d.chance(500)}, {"meetingChatId", w.chatID(m.chat)}}
	case "conversationMemberRoleUpdated":
		return object{{"conversationMemberRoles", []string{"Owner"}}, {"conversationMemberUser", who()}}
	case "tabUpdated":
		return object{{"tabId", "tab::" + randomGUID(m.h).String()}}
	case "channelSharingUpdated":
		return object{{"ownerTeamId", team}, {"ownerTenantId", w.id}, {"sharedChannelId", channel}}
	}
	return channelOrTeamFields(name, channel, team)
}

func channelOrTeamFields(name, channel, team string) object {
	switch name {
	case "channelAdded", "channelDeleted", "channelRenamed":
		return object{{"channelId", channel}, {"channelDisplayName", "Standard channel"}}
	case "channelDescriptionUpdated":
		return object{{"channelId", channel}, {"channelDescription", "Where the plans are."}}
	case "channelSetAsFavoriteByDefault", "channelUnsetAsFavoriteByDefault":
		return object{{"channelId", channel}}
	case "teamCreated":
		return object{{"teamId", team}, {"teamDisplayName", "Harbour"}, {"teamDescription", "The harbour team."}}
	case "teamDescriptionUpdated":
		return object{{"teamId", team}, {"teamDescription", "The harbour team."}}
	case "teamRenamed":
		return object{{"teamId", team}, {"teamDisplayName", "Harbour north"}}
	default:
		return object{{"teamId", team}}
	}
}
