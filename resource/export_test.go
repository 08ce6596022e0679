package resource

// Event returns the name that AppendEvent appends.
func Event(user string, ref Ref) string { return string(AppendEvent(nil, user, ref)) }

// Segment returns the segment that stands for an id.
func Segment(id string) string { return string(appendSegment(nil, id)) }
