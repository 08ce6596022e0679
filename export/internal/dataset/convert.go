package dataset

import (
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

	"github.com/parley-gateway/parley/export/internal/wire"
)

// UserID returns the id of a resource name that begins with users/{user}.
func UserID(name string) string {
	id, _, _ := strings.Cut(strings.TrimPrefix(name, "users/"), "/")
	return id
}

// CallRows are the rows of the participants of a call; none where it was not read whole.
func CallRows(e *parleyv1.Event, run string) []Call {
	call := e.GetCall()
	rows := make([]Call, 0, len(call.GetQuality().GetParticipants()))
	for _, p := range call.GetQuality().GetParticipants() {
		q := p.GetQuality()
		row := Call{
			UID: e.GetUid(), Version: e.GetVersion(), UserID: UserID(e.GetOwner()), ParticipantID: p.GetParticipantId(),
			CallType: enumOf(call.GetCallType(), call.GetCallTypeOther()), IdentityID: p.GetIdentity().GetId(), DisplayName: p.GetIdentity().GetDisplayName(),
			Classification:     enumOf(q.GetClassification(), ""),
			WorstJitterSeconds: seconds(q.GetWorstJitter()), WorstRoundTripSecond: seconds(q.GetWorstRoundTripTime()), DurationSeconds: seconds(q.GetDuration()),
			FeedbackRating: enumOf(q.GetFeedbackRating(), q.GetFeedbackRatingOther()),
			GoodStreams:    q.GetGoodStreams(), PoorStreams: q.GetPoorStreams(), UnclassifiedStreams: q.GetUnclassifiedStreams(), Run: run,
		}
		if q != nil && q.WorstPacketLossRate != nil {
			row.WorstPacketLossRate = new(float64(q.GetWorstPacketLossRate()))
		}
		row.StartTime = timeOf(call.GetStartTime())
		row.EndTime = timeOf(call.GetEndTime())
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
		row.LicensedSince = timeOf(licence.GetSince())
	}
	return row
}

// ConversationRow is the row of a conversation.
func ConversationRow(c *parleyv1.Conversation, run string) Conversation {
	row := Conversation{
		UID: c.GetUid(), UserID: UserID(c.GetName()), ConversationID: lastPart(c.GetName()), Kind: enumOf(c.GetKind(), ""), ChatID: c.GetChatId(),
		ChatType: enumOf(c.GetChatType(), c.GetChatTypeOther()), Topic: c.GetTopic(), TenantID: c.GetTenantId(), WebURL: c.GetWebUrl(),
		Members: list(c.GetMembers()), Unmapped: object(c.GetUnmapped()), Run: run,
	}
	row.CreateTime = timeOf(c.GetCreateTime())
	row.UpdateTime = timeOf(c.GetUpdateTime())
	row.LastMessageTime = timeOf(c.GetLastMessageTime())
	return row
}

// UsageRow is the row of a user in a usage report.
func UsageRow(r *parleyv1.CopilotUsageRow, run string) UserUsage {
	return UserUsage{
		ReportRefreshDate: r.GetReportRefreshDate(), ReportPeriod: r.ReportPeriod, UserPrincipalName: r.GetUserPrincipalName(),
		UserID: UserID(r.GetUser()), DisplayName: r.GetDisplayName(), IdentityConcealed: r.GetIdentityConcealed(),
		LastActivityDate: r.GetLastActivityDate(), Prompts: r.PromptsSubmittedAllApps, ActiveDays: r.ActiveUsageDaysAllApps, Row: object(r), Run: run,
	}
}

// timeOf returns what micros does; nil for none. For a field in the wire format there is timeField.
func timeOf(at *timestamppb.Timestamp) *time.Time {
	if at == nil {
		return nil
	}
	short, _ := micros(at.AsTime())
	return short
}

// The times that RFC 3339 can write: the years 1 to 9999.
var (
	firstTime = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	endOfTime = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
)

// micros returns a time in microseconds, and its text where it is finer; nil for one that JSON and SQL cannot have.
func micros(exact time.Time) (*time.Time, string) {
	if exact.Before(firstTime) || !exact.Before(endOfTime) {
		return nil, ""
	}
	short := exact.Truncate(time.Microsecond)
	if short.Equal(exact) {
		return &short, ""
	}
	return &short, exact.Format(time.RFC3339Nano)
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

// enumOf returns the name of a member, or other, which is Graph's own word where there is no member for it; empty where neither is set.
// For fields in the wire format there is enumField.
func enumOf(member enumeration, other string) string {
	if member.Number() == 0 {
		return other
	}
	return member.String()
}

// lastPart is the last segment of a resource name: ids of Graph have no slash in names.
func lastPart(name string) string {
	return name[strings.LastIndexByte(name, '/')+1:]
}

// object is the JSON of a message.
func object(m proto.Message) string {
	if !m.ProtoReflect().IsValid() {
		return ""
	}
	content, err := proto.Marshal(m)
	if err != nil {
		return "" // only text that is no UTF-8 fails, and such a message was refused on the wire
	}
	text, err := wire.JSON(m.ProtoReflect().Descriptor(), content)
	if err != nil {
		return ""
	}
	return text
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
