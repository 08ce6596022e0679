package summary

import (
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// Names that templates call their values by.
const (
	argInitiator = "initiator"
	argMembers   = "members"
	argName      = "name"
	argText      = "text"
	argRoles     = "roles"
	argDuration  = "duration"
	argPeople    = "people"
)

// templates are the English texts by key. A name in braces stands for a value. A part in brackets is left out where one of its values
// is not known. Keys never change their meaning: clients translate by them.
var templates = map[string]string{
	"call": "Call[, {duration}][, {people}]",

	"call_started":         "{initiator} started a call",
	"meeting_started":      "{initiator} started a meeting",
	"screen_share_started": "{initiator} started sharing a screen",
	"call_ended":           "Call ended[, {duration}][, {people}]",
	"meeting_ended":        "Meeting ended[, {duration}][, {people}]",
	"screen_share_ended":   "Screen sharing ended[, {duration}][, {people}]",

	"recording_started":       "{initiator} started recording",
	"recording_stored":        "The recording[ {name}] was stored[, {duration}]",
	"recording_part_stored":   "A part of the recording[ {name}] was stored[, {duration}]",
	"recording_failed":        "The recording[ {name}] failed",
	"recording_changed":       "The recording[ {name}] changed",
	"transcript_available":    "The call was transcribed",
	"meeting_chat_turned_on":  "{initiator} turned on the chat of the meeting",
	"meeting_chat_turned_off": "{initiator} turned off the chat of the meeting",
	"meeting_policy_changed":  "{initiator} changed the policy of the meeting",

	"members_added_chat":      "{initiator} added {members} to the chat",
	"members_added_meeting":   "{initiator} added {members} to the meeting",
	"members_added_team":      "{initiator} added {members} to the team",
	"members_removed_chat":    "{initiator} removed {members} from the chat",
	"members_removed_meeting": "{initiator} removed {members} from the meeting",
	"members_removed_team":    "{initiator} removed {members} from the team",
	"members_joined_chat":     "{members} joined the chat",
	"members_joined_meeting":  "{members} joined the meeting",
	"members_joined_team":     "{members} joined the team",
	"members_left_chat":       "{members} left the chat",
	"members_left_meeting":    "{members} left the meeting",
	"members_left_team":       "{members} left the team",
	"member_role_changed":     "{initiator} changed the role of {members}[ to {roles}]",

	"chat_renamed":     "{initiator} renamed the chat[ to {name}]",
	"meeting_renamed":  "{initiator} renamed the meeting[ to {name}]",
	"message_pinned":   "{initiator} pinned a message",
	"message_unpinned": "{initiator} unpinned a message",
	"tab_changed":      "{initiator} changed a tab",

	"app_added":    "{initiator} added the app[ {name}]",
	"app_removed":  "{initiator} removed the app[ {name}]",
	"app_upgraded": "{initiator} upgraded the app[ {name}]",

	"channel_added":               "{initiator} added the channel[ {name}]",
	"channel_deleted":             "{initiator} deleted the channel[ {name}]",
	"channel_renamed":             "{initiator} renamed the channel[ to {name}]",
	"channel_description_changed": "{initiator} changed the description of the channel[ to {text}]",
	"channel_shown_by_default":    "{initiator} had the channel shown to everyone by default",
	"channel_hidden_by_default":   "{initiator} had the channel no longer shown to everyone by default",
	"channel_sharing_changed":     "{initiator} changed with whom the channel is shared",

	"team_created":             "{initiator} created the team[ {name}]",
	"team_renamed":             "{initiator} renamed the team[ to {name}]",
	"team_description_changed": "{initiator} changed the description of the team[ to {text}]",
	"team_archived":            "{initiator} archived the team",
	"team_unarchived":          "{initiator} restored the team from the archive",
	"team_joining_turned_on":   "{initiator} turned on joining the team",
	"team_joining_turned_off":  "{initiator} turned off joining the team",
}

// notes choose the template of a note, by Graph's name of its detail without `EventMessageDetail`.
var notes = map[string]func(*parleyv1.SystemDetail, place) string{
	"callStarted":                     func(d *parleyv1.SystemDetail, _ place) string { return callWord(d) + "_started" },
	"callEnded":                       func(d *parleyv1.SystemDetail, _ place) string { return callWord(d) + "_ended" },
	"callRecording":                   recording,
	"callTranscript":                  always("transcript_available"),
	"meetingPolicyUpdated":            meetingPolicy,
	"membersAdded":                    inPlace("members_added"),
	"membersDeleted":                  inPlace("members_removed"),
	"membersJoined":                   inPlace("members_joined"),
	"membersLeft":                     inPlace("members_left"),
	"conversationMemberRoleUpdated":   always("member_role_changed"),
	"chatRenamed":                     chatRenamed,
	"messagePinned":                   always("message_pinned"),
	"messageUnpinned":                 always("message_unpinned"),
	"tabUpdated":                      always("tab_changed"),
	"teamsAppInstalled":               always("app_added"),
	"teamsAppRemoved":                 always("app_removed"),
	"teamsAppUpgraded":                always("app_upgraded"),
	"channelAdded":                    always("channel_added"),
	"channelDeleted":                  always("channel_deleted"),
	"channelRenamed":                  always("channel_renamed"),
	"channelDescriptionUpdated":       always("channel_description_changed"),
	"channelSetAsFavoriteByDefault":   always("channel_shown_by_default"),
	"channelUnsetAsFavoriteByDefault": always("channel_hidden_by_default"),
	"channelSharingUpdated":           always("channel_sharing_changed"),
	"teamCreated":                     always("team_created"),
	"teamRenamed":                     always("team_renamed"),
	"teamDescriptionUpdated":          always("team_description_changed"),
	"teamArchived":                    always("team_archived"),
	"teamUnarchived":                  always("team_unarchived"),
	"teamJoiningEnabled":              always("team_joining_turned_on"),
	"teamJoiningDisabled":             always("team_joining_turned_off"),
}

func always(key string) func(*parleyv1.SystemDetail, place) string {
	return func(*parleyv1.SystemDetail, place) string { return key }
}

func inPlace(key string) func(*parleyv1.SystemDetail, place) string {
	return func(_ *parleyv1.SystemDetail, in place) string { return key + "_" + string(in) }
}

func chatRenamed(_ *parleyv1.SystemDetail, in place) string {
	if in == inMeeting {
		return "meeting_renamed"
	}
	return "chat_renamed"
}

// callWord is the first part of the keys of a note about a call.
func callWord(d *parleyv1.SystemDetail) string {
	switch d.GetCallEventType() {
	case parleyv1.CallEventType_CALL_EVENT_TYPE_MEETING:
		return "meeting"
	case parleyv1.CallEventType_CALL_EVENT_TYPE_SCREEN_SHARE:
		return "screen_share"
	default:
		return "call"
	}
}

func recording(d *parleyv1.SystemDetail, _ place) string {
	switch d.GetCallRecordingStatus() {
	case parleyv1.CallRecordingStatus_CALL_RECORDING_STATUS_INITIAL:
		return "recording_started"
	case parleyv1.CallRecordingStatus_CALL_RECORDING_STATUS_SUCCESS:
		return "recording_stored"
	case parleyv1.CallRecordingStatus_CALL_RECORDING_STATUS_CHUNK_FINISHED:
		return "recording_part_stored"
	case parleyv1.CallRecordingStatus_CALL_RECORDING_STATUS_FAILURE:
		return "recording_failed"
	default:
		return "recording_changed"
	}
}

func meetingPolicy(d *parleyv1.SystemDetail, _ place) string {
	switch {
	case d.MeetingChatEnabled == nil:
		return "meeting_policy_changed"
	case d.GetMeetingChatEnabled():
		return "meeting_chat_turned_on"
	default:
		return "meeting_chat_turned_off"
	}
}
