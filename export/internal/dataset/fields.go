package dataset

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// Numbers of the fields that rows of events are made of, from the contract.

var eventType = new(parleyv1.Event).ProtoReflect().Descriptor()

func number(m proto.Message, name protoreflect.Name) protowire.Number {
	return m.ProtoReflect().Descriptor().Fields().ByName(name).Number()
}

var eventFields = struct {
	name, uid, version, owner, conversation, kind, eventTime, createTime, updateTime, editTime, deleteTime, actor, body, attachments, mentions, links, replyTo, correlationID, importance, importanceOther, locale, webURL, source, outOfWindow, truncatedFields, unmapped, copilot, chat, system, call, replyToConversation, summary protowire.Number
}{
	name:                number(new(parleyv1.Event), "name"),
	uid:                 number(new(parleyv1.Event), "uid"),
	version:             number(new(parleyv1.Event), "version"),
	owner:               number(new(parleyv1.Event), "owner"),
	conversation:        number(new(parleyv1.Event), "conversation"),
	kind:                number(new(parleyv1.Event), "kind"),
	eventTime:           number(new(parleyv1.Event), "event_time"),
	createTime:          number(new(parleyv1.Event), "create_time"),
	updateTime:          number(new(parleyv1.Event), "update_time"),
	editTime:            number(new(parleyv1.Event), "edit_time"),
	deleteTime:          number(new(parleyv1.Event), "delete_time"),
	actor:               number(new(parleyv1.Event), "actor"),
	body:                number(new(parleyv1.Event), "body"),
	attachments:         number(new(parleyv1.Event), "attachments"),
	mentions:            number(new(parleyv1.Event), "mentions"),
	links:               number(new(parleyv1.Event), "links"),
	replyTo:             number(new(parleyv1.Event), "reply_to"),
	correlationID:       number(new(parleyv1.Event), "correlation_id"),
	importance:          number(new(parleyv1.Event), "importance"),
	importanceOther:     number(new(parleyv1.Event), "importance_other"),
	locale:              number(new(parleyv1.Event), "locale"),
	webURL:              number(new(parleyv1.Event), "web_url"),
	source:              number(new(parleyv1.Event), "source"),
	outOfWindow:         number(new(parleyv1.Event), "out_of_window"),
	truncatedFields:     number(new(parleyv1.Event), "truncated_fields"),
	unmapped:            number(new(parleyv1.Event), "unmapped"),
	copilot:             number(new(parleyv1.Event), "copilot"),
	chat:                number(new(parleyv1.Event), "chat"),
	system:              number(new(parleyv1.Event), "system"),
	call:                number(new(parleyv1.Event), "call"),
	replyToConversation: number(new(parleyv1.Event), "reply_to_conversation"),
	summary:             number(new(parleyv1.Event), "summary"),
}

var sourceFields = struct {
	source, id, chatID, apiVersion, etag protowire.Number
}{
	source:     number(new(parleyv1.EventSource), "source"),
	id:         number(new(parleyv1.EventSource), "id"),
	chatID:     number(new(parleyv1.EventSource), "chat_id"),
	apiVersion: number(new(parleyv1.EventSource), "api_version"),
	etag:       number(new(parleyv1.EventSource), "etag"),
}

var summaryFields = struct {
	text, templateKey protowire.Number
}{
	text:        number(new(parleyv1.EventSummary), "text"),
	templateKey: number(new(parleyv1.EventSummary), "template_key"),
}

var identitySetFields = struct {
	user, application, guest, phone, device protowire.Number
}{
	user:        number(new(parleyv1.IdentitySet), "user"),
	application: number(new(parleyv1.IdentitySet), "application"),
	guest:       number(new(parleyv1.IdentitySet), "guest"),
	phone:       number(new(parleyv1.IdentitySet), "phone"),
	device:      number(new(parleyv1.IdentitySet), "device"),
}

var identityFields = struct {
	id, displayName, tenantID, identityType, identityTypeOther protowire.Number
}{
	id:                number(new(parleyv1.Identity), "id"),
	displayName:       number(new(parleyv1.Identity), "display_name"),
	tenantID:          number(new(parleyv1.Identity), "tenant_id"),
	identityType:      number(new(parleyv1.Identity), "identity_type"),
	identityTypeOther: number(new(parleyv1.Identity), "identity_type_other"),
}

var bodyFields = struct {
	contentType, contentTypeOther, content, plainText, contentSize protowire.Number
}{
	contentType:      number(new(parleyv1.Body), "content_type"),
	contentTypeOther: number(new(parleyv1.Body), "content_type_other"),
	content:          number(new(parleyv1.Body), "content"),
	plainText:        number(new(parleyv1.Body), "plain_text"),
	contentSize:      number(new(parleyv1.Body), "content_size"),
}

var copilotFields = struct {
	appClass, sessionID, requestID, interactionType, interactionTypeOther, contexts protowire.Number
}{
	appClass:             number(new(parleyv1.CopilotDetail), "app_class"),
	sessionID:            number(new(parleyv1.CopilotDetail), "session_id"),
	requestID:            number(new(parleyv1.CopilotDetail), "request_id"),
	interactionType:      number(new(parleyv1.CopilotDetail), "interaction_type"),
	interactionTypeOther: number(new(parleyv1.CopilotDetail), "interaction_type_other"),
	contexts:             number(new(parleyv1.CopilotDetail), "contexts"),
}

var chatFields = struct {
	messageType, messageTypeOther, subject, channel, reactions protowire.Number
}{
	messageType:      number(new(parleyv1.ChatDetail), "message_type"),
	messageTypeOther: number(new(parleyv1.ChatDetail), "message_type_other"),
	subject:          number(new(parleyv1.ChatDetail), "subject"),
	channel:          number(new(parleyv1.ChatDetail), "channel"),
	reactions:        number(new(parleyv1.ChatDetail), "reactions"),
}

var channelFields = struct {
	teamID, channelID protowire.Number
}{
	teamID:    number(new(parleyv1.ChannelIdentity), "team_id"),
	channelID: number(new(parleyv1.ChannelIdentity), "channel_id"),
}

var systemFields = struct {
	eventType, message protowire.Number
}{
	eventType: number(new(parleyv1.SystemDetail), "event_type"),
	message:   number(new(parleyv1.SystemDetail), "message"),
}

var callFields = struct {
	callType, callTypeOther, partial, recordVersion, startTime, endTime, joinWebURL, modalities protowire.Number
}{
	callType:      number(new(parleyv1.CallDetail), "call_type"),
	callTypeOther: number(new(parleyv1.CallDetail), "call_type_other"),
	partial:       number(new(parleyv1.CallDetail), "partial"),
	recordVersion: number(new(parleyv1.CallDetail), "record_version"),
	startTime:     number(new(parleyv1.CallDetail), "start_time"),
	endTime:       number(new(parleyv1.CallDetail), "end_time"),
	joinWebURL:    number(new(parleyv1.CallDetail), "join_web_url"),
	modalities:    number(new(parleyv1.CallDetail), "modalities"),
}
