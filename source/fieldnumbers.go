package source

// Numbers of the fields that a draft of an event is completed by; a test compares them with the contract.
const (
	eventName                = 1
	eventUIDField            = 2
	eventVersion             = 3
	eventOwner               = 4
	eventConversation        = 5
	eventKind                = 6
	eventTime                = 7
	eventCreateTime          = 8
	eventUpdateTime          = 9
	eventEditTime            = 10
	eventDeleteTime          = 11
	eventActor               = 12
	eventBody                = 13
	eventAttachments         = 14
	eventReplyTo             = 17
	eventCorrelation         = 18
	eventTruncatedFields     = 25
	eventUnmapped            = 26
	eventSystem              = 29
	eventReplyToConversation = 31

	sourceSource     = 1
	sourceID         = 2
	sourceChatID     = 3
	sourceAPIVersion = 4
	sourceEtag       = 5

	bodyContentType        = 1
	bodyMessageContentType = 3
	bodyContent            = 5
	bodyPlainText          = 6
	bodyContentSize        = 7

	attachmentID          = 1
	attachmentContentType = 2
	attachmentContentURL  = 3
	attachmentContent     = 4
	attachmentName        = 5
	attachmentContentSize = 8

	chatMessageType      = 1
	chatMessageTypeOther = 2
	chatChannel          = 5
	chatReactions        = 6
	channelID            = 2
	reactionCreateTime   = 2

	copilotInteractionType      = 1
	copilotInteractionTypeOther = 2
	copilotSessionID            = 5
	copilotRequestID            = 6
	copilotContexts             = 7
	contextReference            = 1
	contextType                 = 2

	callPartial         = 1
	callStart           = 6
	callJoinThreadID    = 8
	callJoinWebURL      = 9
	callOrganizer       = 10
	callLegacyOrganizer = 12
	callRecordVersion   = 15
	participantIdentity = 2
)
