package dataset

import "time"

// The tags of a row type are its schema: `parquet` for files of that form, `json` for NDJSON, `doc` for the documentation; `holds` says
// that a text is JSON. A text that is empty is null. JSON is text for Parquet, too: engines differ in what they make of its logical type.

// Event is a row of events.
type Event struct {
	UID                 string     `parquet:"uid,id(1)" json:"uid" doc:"equal for every version and every user's copy of the same thing"`
	Version             int64      `parquet:"version,id(2)" json:"version" doc:"larger is newer, for events of one uid"`
	UserID              string     `parquet:"user_id,dict,id(3)" json:"user_id" doc:"object id of the user whose data it was read from"`
	Name                string     `parquet:"name,id(4)" json:"name" doc:"resource name; GetEvent reads the event by it"`
	EventDate           Date       `parquet:"event_date,optional,date,id(5)" json:"event_date,omitempty" doc:"day of event_time in UTC"`
	Kind                string     `parquet:"kind,dict,id(6)" json:"kind" doc:"what it is, such as EVENT_KIND_PROMPT"`
	EventTime           *time.Time `parquet:"event_time,timestamp(microsecond),id(7)" json:"event_time,omitempty" doc:"when the source last saw a change"`
	EventTimeText       string     `parquet:"event_time_text,optional,id(8)" json:"event_time_text,omitempty" doc:"event_time as Graph gave it, where it is finer than microseconds"`
	CreateTime          *time.Time `parquet:"create_time,timestamp(microsecond),id(9)" json:"create_time,omitempty" doc:"when it was written or began"`
	CreateTimeText      string     `parquet:"create_time_text,optional,id(10)" json:"create_time_text,omitempty" doc:"the same as text, where it is finer"`
	UpdateTime          *time.Time `parquet:"update_time,timestamp(microsecond),id(11)" json:"update_time,omitempty" doc:"when Graph last changed the record; reactions move it"`
	UpdateTimeText      string     `parquet:"update_time_text,optional,id(12)" json:"update_time_text,omitempty" doc:"the same as text, where it is finer"`
	EditTime            *time.Time `parquet:"edit_time,timestamp(microsecond),id(13)" json:"edit_time,omitempty" doc:"when its writer last edited it"`
	EditTimeText        string     `parquet:"edit_time_text,optional,id(14)" json:"edit_time_text,omitempty" doc:"the same as text, where it is finer"`
	DeleteTime          *time.Time `parquet:"delete_time,timestamp(microsecond),id(15)" json:"delete_time,omitempty" doc:"when it was deleted"`
	DeleteTimeText      string     `parquet:"delete_time_text,optional,id(16)" json:"delete_time_text,omitempty" doc:"the same as text, where it is finer"`
	Source              string     `parquet:"source,optional,dict,id(17)" json:"source,omitempty" doc:"Graph API that it was read from"`
	SourceID            string     `parquet:"source_id,optional,id(18)" json:"source_id,omitempty" doc:"id as Graph gave it"`
	ChatID              string     `parquet:"chat_id,optional,dict,id(19)" json:"chat_id,omitempty" doc:"chat that holds the message"`
	APIVersion          string     `parquet:"api_version,optional,dict,id(20)" json:"api_version,omitempty" doc:"v1.0 or beta"`
	ETag                string     `parquet:"etag,optional,id(21)" json:"etag,omitempty" doc:"entity tag of Graph"`
	ConversationID      string     `parquet:"conversation_id,optional,dict,id(22)" json:"conversation_id,omitempty" doc:"conversation it belongs to: one for the chat, the interactions and the call of a meeting"`
	ReplyTo             string     `parquet:"reply_to,optional,id(23)" json:"reply_to,omitempty" doc:"id of the message that it answers"`
	ReplyConversationID string     `parquet:"reply_to_conversation_id,optional,id(24)" json:"reply_to_conversation_id,omitempty" doc:"conversation of that message, where it is another one"`
	CorrelationID       string     `parquet:"correlation_id,optional,dict,id(25)" json:"correlation_id,omitempty" doc:"shared by a prompt and its answers"`
	ActorKind           string     `parquet:"actor_kind,optional,dict,id(26)" json:"actor_kind,omitempty" doc:"which identity of the actor the next columns have: user, application, guest, phone or device"`
	ActorID             string     `parquet:"actor_id,optional,dict,id(27)" json:"actor_id,omitempty" doc:"who wrote, asked, answered or organised"`
	ActorDisplayName    string     `parquet:"actor_display_name,optional,dict,id(28)" json:"actor_display_name,omitempty" doc:"name of the actor, if Graph sent one"`
	ActorIdentityType   string     `parquet:"actor_identity_type,optional,dict,id(29)" json:"actor_identity_type,omitempty" doc:"sort of identity of Teams"`
	ActorTenantID       string     `parquet:"actor_tenant_id,optional,dict,id(30)" json:"actor_tenant_id,omitempty" doc:"tenant of the actor"`
	Actor               string     `parquet:"actor,optional,dict,id(31)" holds:"json" json:"actor,omitempty" doc:"IdentitySet, whole"`
	ContentType         string     `parquet:"content_type,optional,dict,id(32)" json:"content_type,omitempty" doc:"of content"`
	Content             string     `parquet:"content,optional,id(33)" json:"content,omitempty" doc:"body as Graph sent it, untrusted"`
	PlainText           string     `parquet:"plain_text,optional,id(34)" json:"plain_text,omitempty" doc:"body to be read and searched"`
	ContentSize         *int32     `parquet:"content_size,id(35)" json:"content_size,omitempty" doc:"bytes of content"`
	SummaryText         string     `parquet:"summary_text,optional,dict,id(36)" json:"summary_text,omitempty" doc:"Parley's line about calls and notes of Teams"`
	SummaryKey          string     `parquet:"summary_key,optional,dict,id(37)" json:"summary_key,omitempty" doc:"key of its template"`
	Importance          string     `parquet:"importance,optional,dict,id(38)" json:"importance,omitempty" doc:"how loudly it was to be delivered"`
	Locale              string     `parquet:"locale,optional,dict,id(39)" json:"locale,omitempty" doc:"language tag"`
	WebURL              string     `parquet:"web_url,optional,id(40)" json:"web_url,omitempty" doc:"address that opens it in Teams"`
	AppClass            string     `parquet:"app_class,optional,dict,id(41)" json:"app_class,omitempty" doc:"Copilot application"`
	InteractionType     string     `parquet:"interaction_type,optional,dict,id(42)" json:"interaction_type,omitempty" doc:"prompt or answer, in Graph's word"`
	SessionID           string     `parquet:"session_id,optional,dict,id(43)" json:"session_id,omitempty" doc:"Copilot session"`
	RequestID           string     `parquet:"request_id,optional,id(44)" json:"request_id,omitempty" doc:"Copilot request"`
	Contexts            string     `parquet:"contexts,optional,id(45)" holds:"json" json:"contexts,omitempty" doc:"what Copilot was asked about: a list of CopilotContext"`
	MessageType         string     `parquet:"message_type,optional,dict,id(46)" json:"message_type,omitempty" doc:"type of the chat message"`
	Subject             string     `parquet:"subject,optional,id(47)" json:"subject,omitempty" doc:"of the chat message"`
	TeamID              string     `parquet:"team_id,optional,dict,id(48)" json:"team_id,omitempty" doc:"team of the channel"`
	ChannelID           string     `parquet:"channel_id,optional,dict,id(49)" json:"channel_id,omitempty" doc:"channel of the message"`
	SystemEventType     string     `parquet:"system_event_type,optional,dict,id(50)" json:"system_event_type,omitempty" doc:"what a note of Teams is about"`
	CallType            string     `parquet:"call_type,optional,dict,id(51)" json:"call_type,omitempty" doc:"peer to peer, or a group call"`
	CallStartTime       *time.Time `parquet:"call_start_time,timestamp(microsecond),id(52)" json:"call_start_time,omitempty" doc:"when the call began"`
	CallEndTime         *time.Time `parquet:"call_end_time,timestamp(microsecond),id(53)" json:"call_end_time,omitempty" doc:"when it ended"`
	CallModalities      []string   `parquet:"call_modalities,optional,list,id(54)" json:"call_modalities,omitempty" doc:"audio, video, screen sharing and so on"`
	CallPartial         *bool      `parquet:"call_partial,id(55)" json:"call_partial,omitempty" doc:"true where the call was not read whole"`
	CallJoinURL         string     `parquet:"call_join_url,optional,id(56)" json:"call_join_url,omitempty" doc:"join address of the meeting"`
	RecordVersion       *int64     `parquet:"call_record_version,id(57)" json:"call_record_version,omitempty" doc:"version of the call record"`
	Attachments         string     `parquet:"attachments,optional,id(58)" holds:"json" json:"attachments,omitempty" doc:"a list of Attachment; cards are in their content"`
	Mentions            string     `parquet:"mentions,optional,id(59)" holds:"json" json:"mentions,omitempty" doc:"a list of Mention"`
	Links               string     `parquet:"links,optional,id(60)" holds:"json" json:"links,omitempty" doc:"links that Copilot gave: a list of Link"`
	Reactions           string     `parquet:"reactions,optional,id(61)" holds:"json" json:"reactions,omitempty" doc:"a list of Reaction"`
	Detail              string     `parquet:"detail,optional,id(62)" holds:"json" json:"detail,omitempty" doc:"the detail of the kind, whole: CopilotDetail, ChatDetail, SystemDetail or CallDetail"`
	Unmapped            string     `parquet:"unmapped,optional,id(63)" holds:"json" json:"unmapped,omitempty" doc:"properties of Graph without a field; view full alone"`
	OutOfWindow         bool       `parquet:"out_of_window,id(64)" json:"out_of_window" doc:"far outside the interval, or without a usable time"`
	TruncatedFields     []string   `parquet:"truncated_fields,optional,list,id(65)" json:"truncated_fields,omitempty" doc:"paths of the fields that were truncated"`
	Run                 string     `parquet:"run,dict,id(66)" json:"run" doc:"run that read it"`
}

// Copy is a row of copies.
type Copy struct {
	UID    string `parquet:"uid,id(1)" json:"uid" doc:"uid of the event"`
	UserID string `parquet:"user_id,id(2)" json:"user_id" doc:"object id of the user who has it, too"`
	Name   string `parquet:"name,id(3)" json:"name" doc:"resource name of this user's copy"`
	Run    string `parquet:"run,id(4)" json:"run" doc:"run that read it"`
}

// Turn is a row of turns.
type Turn struct {
	UID             string     `parquet:"uid,id(1)" json:"uid" doc:"uid of the prompt"`
	Version         int64      `parquet:"version,id(2)" json:"version" doc:"greatest version of the prompt and its answers"`
	UserID          string     `parquet:"user_id,id(3)" json:"user_id" doc:"object id of the user who asked"`
	AppClass        string     `parquet:"app_class,optional,id(4)" json:"app_class,omitempty" doc:"Copilot application"`
	SessionID       string     `parquet:"session_id,optional,id(5)" json:"session_id,omitempty" doc:"Copilot session"`
	CorrelationID   string     `parquet:"correlation_id,optional,id(6)" json:"correlation_id,omitempty" doc:"shared by the prompt and its answers"`
	ConversationID  string     `parquet:"conversation_id,optional,id(7)" json:"conversation_id,omitempty" doc:"conversation it belongs to"`
	PromptTime      *time.Time `parquet:"prompt_time,timestamp(microsecond),id(8)" json:"prompt_time,omitempty" doc:"when it was asked"`
	PromptDate      Date       `parquet:"prompt_date,optional,date,id(9)" json:"prompt_date,omitempty" doc:"day of prompt_time in UTC"`
	FirstAnswerTime *time.Time `parquet:"first_answer_time,timestamp(microsecond),id(10)" json:"first_answer_time,omitempty" doc:"when the first answer came; null where the interval has none"`
	Seconds         *float64   `parquet:"seconds,id(11)" json:"seconds,omitempty" doc:"from the prompt to the first answer"`
	Answers         int32      `parquet:"answers,id(12)" json:"answers" doc:"answers in the interval"`
	MachineMade     bool       `parquet:"machine_made,id(13)" json:"machine_made" doc:"true where an application is the actor of the prompt, and no person"`
	Run             string     `parquet:"run,id(14)" json:"run" doc:"run that read it"`
}

// Call is a row of calls.
type Call struct {
	UID                  string     `parquet:"uid,id(1)" json:"uid" doc:"uid of the call"`
	Version              int64      `parquet:"version,id(2)" json:"version" doc:"version of the call"`
	UserID               string     `parquet:"user_id,id(3)" json:"user_id" doc:"object id of the user whose data it was read from"`
	ParticipantID        string     `parquet:"participant_id,id(4)" json:"participant_id" doc:"id of the participant in the call"`
	StartTime            *time.Time `parquet:"start_time,timestamp(microsecond),id(5)" json:"start_time,omitempty" doc:"when the call began"`
	EndTime              *time.Time `parquet:"end_time,timestamp(microsecond),id(6)" json:"end_time,omitempty" doc:"when it ended"`
	StartDate            Date       `parquet:"start_date,optional,date,id(7)" json:"start_date,omitempty" doc:"day of start_time in UTC"`
	CallType             string     `parquet:"call_type,optional,id(8)" json:"call_type,omitempty" doc:"peer to peer, or a group call"`
	IdentityID           string     `parquet:"identity_id,optional,id(9)" json:"identity_id,omitempty" doc:"object id, telephone number or guest id"`
	DisplayName          string     `parquet:"display_name,optional,id(10)" json:"display_name,omitempty" doc:"name of the participant, if Graph sent one"`
	Classification       string     `parquet:"classification,optional,id(11)" json:"classification,omitempty" doc:"how good the audio connection was"`
	WorstPacketLossRate  *float64   `parquet:"worst_packet_loss_rate,id(12)" json:"worst_packet_loss_rate,omitempty" doc:"worst mean loss of an audio stream, 0 to 1"`
	WorstJitterSeconds   *float64   `parquet:"worst_jitter_seconds,id(13)" json:"worst_jitter_seconds,omitempty" doc:"worst mean jitter"`
	WorstRoundTripSecond *float64   `parquet:"worst_round_trip_seconds,id(14)" json:"worst_round_trip_seconds,omitempty" doc:"worst mean round trip"`
	DurationSeconds      *float64   `parquet:"duration_seconds,id(15)" json:"duration_seconds,omitempty" doc:"how long the participant took part"`
	FeedbackRating       string     `parquet:"feedback_rating,optional,id(16)" json:"feedback_rating,omitempty" doc:"how the participant rated the call"`
	GoodStreams          int32      `parquet:"good_streams,id(17)" json:"good_streams" doc:"audio streams that passed no limit"`
	PoorStreams          int32      `parquet:"poor_streams,id(18)" json:"poor_streams" doc:"audio streams that passed one"`
	UnclassifiedStreams  int32      `parquet:"unclassified_streams,id(19)" json:"unclassified_streams" doc:"audio streams that were not judged"`
	Run                  string     `parquet:"run,id(20)" json:"run" doc:"run that read it"`
}

// User is a row of users.
type User struct {
	UserID            string     `parquet:"user_id,id(1)" json:"user_id" doc:"object id"`
	State             string     `parquet:"state,optional,id(2)" json:"state,omitempty" doc:"how reading the user ended; null where the run did not read the user"`
	Complete          bool       `parquet:"complete,id(3)" json:"complete" doc:"everything was read that applies to the user"`
	Reason            string     `parquet:"reason,optional,id(4)" json:"reason,omitempty" doc:"why something is missing"`
	DisplayName       string     `parquet:"display_name,optional,id(5)" json:"display_name,omitempty" doc:"name in the directory"`
	UserPrincipalName string     `parquet:"user_principal_name,optional,id(6)" json:"user_principal_name,omitempty" doc:"sign-in name"`
	Department        string     `parquet:"department,optional,id(7)" json:"department,omitempty" doc:"in the directory"`
	JobTitle          string     `parquet:"job_title,optional,id(8)" json:"job_title,omitempty" doc:"in the directory"`
	Country           string     `parquet:"country,optional,id(9)" json:"country,omitempty" doc:"in the directory"`
	AccountEnabled    *bool      `parquet:"account_enabled,id(10)" json:"account_enabled,omitempty" doc:"whether the account may sign in"`
	UserType          string     `parquet:"user_type,optional,id(11)" json:"user_type,omitempty" doc:"Member or Guest"`
	Licensed          *bool      `parquet:"copilot_licensed,id(12)" json:"copilot_licensed,omitempty" doc:"whether there is a licence of Microsoft 365 Copilot"`
	LicensedSince     *time.Time `parquet:"copilot_licensed_since,timestamp(microsecond),id(13)" json:"copilot_licensed_since,omitempty" doc:"since when"`
	Run               string     `parquet:"run,id(14)" json:"run" doc:"run that read it"`
}

// Conversation is a row of conversations.
type Conversation struct {
	UID             string     `parquet:"uid,id(1)" json:"uid" doc:"equal for every user's copy of the conversation"`
	UserID          string     `parquet:"user_id,id(2)" json:"user_id" doc:"object id of the user whose list it is in"`
	ConversationID  string     `parquet:"conversation_id,id(3)" json:"conversation_id" doc:"as in events"`
	Kind            string     `parquet:"kind,optional,id(4)" json:"kind,omitempty" doc:"chat, meeting, Copilot session or call"`
	ChatID          string     `parquet:"chat_id,optional,id(5)" json:"chat_id,omitempty" doc:"id of the chat"`
	ChatType        string     `parquet:"chat_type,optional,id(6)" json:"chat_type,omitempty" doc:"one on one, group or meeting"`
	Topic           string     `parquet:"topic,optional,id(7)" json:"topic,omitempty" doc:"name that people gave it"`
	CreateTime      *time.Time `parquet:"create_time,timestamp(microsecond),id(8)" json:"create_time,omitempty" doc:"when it was made"`
	UpdateTime      *time.Time `parquet:"update_time,timestamp(microsecond),id(9)" json:"update_time,omitempty" doc:"when its name or members last changed"`
	LastMessageTime *time.Time `parquet:"last_message_time,timestamp(microsecond),id(10)" json:"last_message_time,omitempty" doc:"when the last message was written"`
	TenantID        string     `parquet:"tenant_id,optional,id(11)" json:"tenant_id,omitempty" doc:"tenant that holds it"`
	WebURL          string     `parquet:"web_url,optional,id(12)" json:"web_url,omitempty" doc:"address that opens it in Teams"`
	Members         string     `parquet:"members,optional,id(13)" holds:"json" json:"members,omitempty" doc:"a list of ConversationMember"`
	Unmapped        string     `parquet:"unmapped,optional,id(14)" holds:"json" json:"unmapped,omitempty" doc:"properties of Graph without a field; view full alone"`
	Run             string     `parquet:"run,id(15)" json:"run" doc:"run that read it"`
}

// UserUsage is a row of usage.
type UserUsage struct {
	ReportRefreshDate string `parquet:"report_refresh_date,id(1)" json:"report_refresh_date" doc:"day up to which Graph's report goes"`
	ReportPeriod      *int32 `parquet:"report_period,id(2)" json:"report_period,omitempty" doc:"days that the report covers"`
	UserPrincipalName string `parquet:"user_principal_name,id(3)" json:"user_principal_name" doc:"sign-in name, or a digest where the tenant conceals it"`
	UserID            string `parquet:"user_id,optional,id(4)" json:"user_id,omitempty" doc:"object id, where it is known"`
	DisplayName       string `parquet:"display_name,optional,id(5)" json:"display_name,omitempty" doc:"name in the report"`
	IdentityConcealed bool   `parquet:"identity_concealed,id(6)" json:"identity_concealed" doc:"true where the tenant conceals names in reports"`
	LastActivityDate  string `parquet:"last_activity_date,optional,id(7)" json:"last_activity_date,omitempty" doc:"last day with any use"`
	Prompts           *int64 `parquet:"prompts_submitted,id(8)" json:"prompts_submitted,omitempty" doc:"prompts in all applications"`
	ActiveDays        *int64 `parquet:"active_usage_days,id(9)" json:"active_usage_days,omitempty" doc:"days with any use"`
	Row               string `parquet:"row,optional,id(10)" holds:"json" json:"row,omitempty" doc:"CopilotUsageRow, whole: the last day with use of each application among others"`
	Run               string `parquet:"run,id(11)" json:"run" doc:"run that read it"`
}
