package timeline

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/timeline/query"
)

// Events travel through the engine as they were encoded once: an answer's events are the bytes of its list field. Where the
// request says Encoded, batches and List answers hold these as unknown fields, which is what a message keeps of bytes that
// it does not look into: on the wire it is the message with the same events.

// setEvents gives a batch or List answer its events: as bytes, or as messages for those who did not ask for bytes.
func setEvents(r *query.Events, m proto.Message, list []byte) error {
	if r.Encoded {
		m.ProtoReflect().SetUnknown(list)
		return nil
	}
	if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(list, m); err != nil {
		return fmt.Errorf("decode events: %w", err)
	}
	return nil
}
