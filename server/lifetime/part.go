package lifetime

import parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

// Frame is a frame of one of the streams of frames.
type Frame interface {
	GetCheckpoint() *parleyv1.Checkpoint
	GetSummary() *parleyv1.Summary
	GetNotice() *parleyv1.Notice
}

// Part is the kind of a part of a stream.
type Part int

// Kinds of parts.
const (
	// Content is a part with content: a batch, a chunk of a download, or the end of a user.
	Content Part = iota
	// Notice, Checkpoint and Summary are the other frames.
	Notice
	Checkpoint
	Summary
)

// PartOf returns the kind of a message of a stream. The frames of a stream over the tenant are no Frame: their checkpoints and summaries have
// types of their own.
func PartOf(message any) Part {
	if frame, ok := message.(*parleyv1.StreamTenantEventsResponse); ok {
		return partOfTenant(frame)
	}
	frame, ok := message.(Frame)
	switch {
	case !ok:
		return Content
	case frame.GetSummary() != nil:
		return Summary
	case frame.GetCheckpoint() != nil:
		return Checkpoint
	case frame.GetNotice() != nil:
		return Notice
	default:
		return Content
	}
}

// partOfTenant returns the kind of a frame of a stream over the tenant. The end of a user is content: a call that goes on from before it
// brings it again.
func partOfTenant(frame *parleyv1.StreamTenantEventsResponse) Part {
	switch {
	case frame.GetSummary() != nil:
		return Summary
	case frame.GetCheckpoint() != nil:
		return Checkpoint
	case frame.GetNotice() != nil:
		return Notice
	default:
		return Content
	}
}
