package dataset

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// UserID returns the id of a resource name that begins with users/{user}.
func UserID(name string) string {
	id, _, _ := strings.Cut(strings.TrimPrefix(name, "users/"), "/")
	return id
}

// EventRow is the row of an event.
func EventRow(e *parleyv1.Event, run string) Event {
	row := Event{
		UID: e.GetUid(), Version: e.GetVersion(), UserID: UserID(e.GetOwner()), Name: e.GetName(), Kind: e.GetKind().String(),
		Source: enum(e.GetSource().GetSource(), ""), SourceID: e.GetSource().GetId(), ChatID: e.GetSource().GetChatId(),
		APIVersion: e.GetSource().GetApiVersion(), ETag: e.GetSource().GetEtag(),
		ConversationID: lastPart(e.GetConversation()), ReplyTo: e.GetReplyTo(), ReplyConversationID: lastPart(e.GetReplyToConversation()),
		CorrelationID: e.GetCorrelationId(), Actor: object(e.GetActor()),
		SummaryText: e.GetSummary().GetText(), SummaryKey: e.GetSummary().GetTemplateKey(),
		Importance: enum(e.GetImportance(), e.GetImportanceOther()), Locale: e.GetLocale(), WebURL: e.GetWebUrl(),
		Attachments: list(e.GetAttachments()), Mentions: list(e.GetMentions()), Links: list(e.GetLinks()),
		Unmapped: object(e.GetUnmapped()), OutOfWindow: e.GetOutOfWindow(), TruncatedFields: e.GetTruncatedFields(), Run: run,
	}
	row.EventTime, row.EventTimeText = instant(e.GetEventTime())
	row.CreateTime, row.CreateTimeText = instant(e.GetCreateTime())
	row.UpdateTime, row.UpdateTimeText = instant(e.GetUpdateTime())
	row.EditTime, row.EditTimeText = instant(e.GetEditTime())
	row.DeleteTime, row.DeleteTimeText = instant(e.GetDeleteTime())
	row.EventDate = DateOf(row.EventTime)
	var actor *parleyv1.Identity
	row.ActorKind, actor = firstIdentity(e.GetActor())
	row.ActorID, row.ActorDisplayName, row.ActorTenantID = actor.GetId(), actor.GetDisplayName(), actor.GetTenantId()
	row.ActorIdentityType = enum(actor.GetIdentityType(), actor.GetIdentityTypeOther())
	if body := e.GetBody(); body != nil {
		row.ContentType = enum(body.GetContentType(), body.GetContentTypeOther())
		row.Content, row.PlainText, row.ContentSize = body.GetContent(), body.GetPlainText(), new(body.GetContentSize())
	}
	detail(&row, e)
	return row
}

func detail(row *Event, e *parleyv1.Event) {
	switch detail := e.GetDetail().(type) {
	case *parleyv1.Event_Copilot:
		d := detail.Copilot
		row.AppClass, row.SessionID, row.RequestID = d.GetAppClass(), d.GetSessionId(), d.GetRequestId()
		row.InteractionType, row.Contexts = enum(d.GetInteractionType(), d.GetInteractionTypeOther()), list(d.GetContexts())
		row.Detail = object(d)
	case *parleyv1.Event_Chat:
		message(row, detail.Chat)
		row.Detail = object(detail.Chat)
	case *parleyv1.Event_System:
		row.SystemEventType = detail.System.GetEventType()
		message(row, detail.System.GetMessage())
		row.Detail = object(detail.System)
	case *parleyv1.Event_Call:
		d := detail.Call
		row.CallType, row.CallPartial, row.RecordVersion = enum(d.GetCallType(), d.GetCallTypeOther()), new(d.GetPartial()), d.RecordVersion
		row.CallStartTime, _ = instant(d.GetStartTime())
		row.CallEndTime, _ = instant(d.GetEndTime())
		row.CallJoinURL = d.GetJoinWebUrl()
		for _, modality := range d.GetModalities() {
			row.CallModalities = append(row.CallModalities, modality.String())
		}
		row.Detail = object(d)
	}
}

func message(row *Event, d *parleyv1.ChatDetail) {
	row.MessageType, row.Subject = enum(d.GetMessageType(), d.GetMessageTypeOther()), d.GetSubject()
	row.TeamID, row.ChannelID = d.GetChannel().GetTeamId(), d.GetChannel().GetChannelId()
	row.Reactions = list(d.GetReactions())
}

// CallRows are the rows of the participants of a call; none where it was not read whole.
func CallRows(e *parleyv1.Event, run string) []Call {
	call := e.GetCall()
	rows := make([]Call, 0, len(call.GetQuality().GetParticipants()))
	for _, p := range call.GetQuality().GetParticipants() {
		q := p.GetQuality()
		row := Call{
			UID: e.GetUid(), Version: e.GetVersion(), UserID: UserID(e.GetOwner()), ParticipantID: p.GetParticipantId(),
			CallType: enum(call.GetCallType(), call.GetCallTypeOther()), IdentityID: p.GetIdentity().GetId(), DisplayName: p.GetIdentity().GetDisplayName(),
			Classification:     enum(q.GetClassification(), ""),
			WorstJitterSeconds: seconds(q.GetWorstJitter()), WorstRoundTripSecond: seconds(q.GetWorstRoundTripTime()), DurationSeconds: seconds(q.GetDuration()),
			FeedbackRating: enum(q.GetFeedbackRating(), q.GetFeedbackRatingOther()),
			GoodStreams:    q.GetGoodStreams(), PoorStreams: q.GetPoorStreams(), UnclassifiedStreams: q.GetUnclassifiedStreams(), Run: run,
		}
		if q != nil && q.WorstPacketLossRate != nil {
			row.WorstPacketLossRate = new(float64(q.GetWorstPacketLossRate()))
		}
		row.StartTime, _ = instant(call.GetStartTime())
		row.EndTime, _ = instant(call.GetEndTime())
		row.StartDate = DateOf(row.StartTime)
		rows = append(rows, row)
	}
	return rows
}

// UserRow is the row of a user of the directory.
func UserRow(u *parleyv1.User, run string) User {
	row := User{
		UserID: u.GetId(), DisplayName: u.GetDisplayName(), UserPrincipalName: u.GetUserPrincipalName(), Department: u.GetDepartment(),
		JobTitle: u.GetJobTitle(), Country: u.GetCountry(), AccountEnabled: u.AccountEnabled, UserType: u.GetUserType(), Run: run,
	}
	if licence := u.GetCopilot(); licence != nil {
		row.Licensed = licence.Licensed
		row.LicensedSince, _ = instant(licence.GetSince())
	}
	return row
}

// ConversationRow is the row of a conversation.
func ConversationRow(c *parleyv1.Conversation, run string) Conversation {
	row := Conversation{
		UID: c.GetUid(), UserID: UserID(c.GetName()), ConversationID: lastPart(c.GetName()), Kind: enum(c.GetKind(), ""), ChatID: c.GetChatId(),
		ChatType: enum(c.GetChatType(), c.GetChatTypeOther()), Topic: c.GetTopic(), TenantID: c.GetTenantId(), WebURL: c.GetWebUrl(),
		Members: list(c.GetMembers()), Unmapped: object(c.GetUnmapped()), Run: run,
	}
	row.CreateTime, _ = instant(c.GetCreateTime())
	row.UpdateTime, _ = instant(c.GetUpdateTime())
	row.LastMessageTime, _ = instant(c.GetLastMessageTime())
	return row
}

// UsageRowOf is the row of a user in a usage report.
func UsageRowOf(r *parleyv1.CopilotUsageRow, run string) UsageRow {
	return UsageRow{
		ReportRefreshDate: r.GetReportRefreshDate(), ReportPeriod: r.ReportPeriod, UserPrincipalName: r.GetUserPrincipalName(),
		UserID: UserID(r.GetUser()), DisplayName: r.GetDisplayName(), IdentityConcealed: r.GetIdentityConcealed(),
		LastActivityDate: r.GetLastActivityDate(), Prompts: r.PromptsSubmittedAllApps, ActiveDays: r.ActiveUsageDaysAllApps, Row: object(r), Run: run,
	}
}

// instant returns a time in microseconds, and its text where it is finer.
func instant(at *timestamppb.Timestamp) (*time.Time, string) {
	if at == nil {
		return nil, ""
	}
	exact := at.AsTime()
	micros := exact.Truncate(time.Microsecond)
	if micros.Equal(exact) {
		return &micros, ""
	}
	return &micros, exact.Format(time.RFC3339Nano)
}

func seconds(d *durationpb.Duration) *float64 {
	if d == nil {
		return nil
	}
	return new(d.AsDuration().Seconds())
}

type enumeration interface {
	String() string
	Number() protoreflect.EnumNumber
}

// enum is the name of a member, Graph's own word where there is no member for it, or nothing.
func enum(member enumeration, other string) string {
	if member.Number() == 0 {
		return other
	}
	return member.String()
}

// lastPart is the last segment of a resource name: ids of Graph have no slash in names.
func lastPart(name string) string {
	return name[strings.LastIndexByte(name, '/')+1:]
}

func firstIdentity(set *parleyv1.IdentitySet) (string, *parleyv1.Identity) {
	for _, known := range []struct {
		kind     string
		identity *parleyv1.Identity
	}{
		{"user", set.GetUser()},
		{"application", set.GetApplication()},
		{"guest", set.GetGuest()},
		{"phone", set.GetPhone()},
		{"device", set.GetDevice()},
	} {
		if known.identity != nil {
			return known.kind, known.identity
		}
	}
	return "", nil
}

// object is the JSON of a message without white space, which protojson varies.
func object(m proto.Message) string {
	if !m.ProtoReflect().IsValid() {
		return ""
	}
	text, err := protojson.Marshal(m)
	if err != nil {
		return "" // only text that is no UTF-8 fails, and such a message was refused on the wire
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return ""
	}
	return compact.String()
}

func list[M proto.Message](messages []M) string {
	if len(messages) == 0 {
		return ""
	}
	var text strings.Builder
	for i, m := range messages {
		text.WriteByte("[,"[min(i, 1)])
		text.WriteString(object(m))
	}
	text.WriteByte(']')
	return text.String()
}
