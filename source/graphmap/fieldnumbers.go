package graphmap

import parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

// Numbers of the fields that drafts are grouped by; a test compares them with the contract.
const (
	sourceNumber        = 23
	truncatedNumber     = 25
	unmappedNumber      = 26
	copilotNumber       = 27
	chatNumber          = 28
	systemNumber        = 29
	callNumber          = 30
	messageTypeNumber   = 1
	systemMessageNumber = 36

	systemMessage = int64(parleyv1.MessageType_MESSAGE_TYPE_SYSTEM_EVENT_MESSAGE)
)
