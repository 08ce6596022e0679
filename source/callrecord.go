package source

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source/graphmap"
	"github.com/parley-gateway/parley/source/quality"
)

const (
	sessionsProperty     = "sessions"
	participantsProperty = "participants_v2"
	segmentsProperty     = "segments"

	expandSessions      = "sessions($expand=segments)"
	participantPageSize = "130" // the documented page

	// linkArtefact is in links of Graph's own examples that lead nowhere: a metadata address in place of a path.
	linkArtefact = "$metadata#"
)

// Event implements EventGetter: the record with all pages of its sessions, their segments, and its participants. The
// user must have taken part or be the organizer, unless the owner is resource.AnyUser. A record that is whole says how good the
// connection was. The errors include ErrUserIDRequired and ErrNotParticipant.
func (c *Call) Event(ctx context.Context, owner, user string, ref Ref) (*parleyv1.Event, error) {
	if owner != resource.AnyUser && (user == "" || strings.Contains(user, "@")) {
		return nil, ErrUserIDRequired
	}
	id, err := segment(ref.ID)
	if err != nil {
		return nil, err
	}
	path := callsPath + "/" + id
	record, err := c.recordWithParticipants(ctx, path, ref.ID)
	if err != nil {
		return nil, err
	}
	verified, err := c.namesUser(record, owner, user)
	if err != nil {
		return nil, err
	}
	sessions, err := c.sessions(ctx, path, ref.ID, record)
	if err != nil && (verified || ctx.Err() != nil) {
		return nil, err
	}
	if err != nil {
		// Another error would tell who is not known to be in the call that there is such a call.
		return nil, notFound("nothing that could be read of the call names the user")
	}
	record = append(withoutList(record, sessionsProperty), property{name: sessionsProperty, value: array(sessions)})
	whole, err := object(record)
	if err != nil {
		return nil, err
	}
	event, err := c.recordEvent(owner, whole)
	if err != nil {
		return nil, err
	}
	if !verified {
		if err := verifyParticipant(event.GetCall(), user); err != nil {
			return nil, err
		}
	}
	if err := c.segments(ctx, ref.ID, whole, event); err != nil {
		return nil, err
	}
	if hasAllSessions(event) {
		event.GetCall().Quality = quality.Of(event.GetCall())
	}
	return event, nil
}

// CallForUser returns the event of one user for a whole record that was read for resource.AnyUser: under the owner's names, if the record names
// the user. The call detail is the same message in both. The errors include ErrUserIDRequired and ErrNotParticipant.
func CallForUser(record *parleyv1.Event, owner, user string) (*parleyv1.Event, error) {
	if user == "" || strings.Contains(user, "@") {
		return nil, ErrUserIDRequired
	}
	if err := verifyParticipant(record.GetCall(), user); err != nil {
		return nil, err
	}
	event := &parleyv1.Event{}
	record.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		event.ProtoReflect().Set(field, value)
		return true
	})
	event.Name = string(resource.AppendEvent(nil, owner, resource.Ref{Source: parleyv1.Source_SOURCE_CALL, ID: record.GetSource().GetId()}))
	event.Owner = resource.User(owner)
	if record.GetConversation() != "" {
		_, conversation, err := resource.ParseConversation(record.GetConversation())
		if err != nil {
			return nil, err
		}
		event.Conversation = resource.Conversation(owner, conversation)
	}
	return event, nil
}

// hasAllSessions reports whether the sessions, and the lists in them, were read to their ends.
func hasAllSessions(event *parleyv1.Event) bool {
	return !event.GetCall().GetPartial() && !slices.ContainsFunc(event.GetTruncatedFields(), func(path string) bool {
		return strings.HasPrefix(path, sessionsProperty)
	})
}

// recordWithParticipants reads a record with the first page of its sessions and all its participants.
func (c *Call) recordWithParticipants(ctx context.Context, path, id string) ([]property, error) {
	r := c.recordRequest(ctx, path, id)
	r.Query = []graph.Param{{Name: "$expand", Value: expandSessions}}
	answer, err := c.graph.Object(ctx, r)
	if err != nil {
		return nil, err
	}
	record, err := properties(answer.Body)
	if err != nil {
		return nil, err
	}
	participants, err := c.participants(ctx, path, id)
	if err != nil {
		return nil, err
	}
	return append(withoutList(record, participantsProperty), property{name: participantsProperty, value: array(participants)}), nil
}

// recordEvent maps a record.
func (c *Call) recordEvent(owner string, record []byte) (*parleyv1.Event, error) {
	item, err := c.wholeItem(owner, record)
	if err != nil {
		return nil, err
	}
	return requireID(item.Event())
}

// namesUser reports whether a record that has all its participants names the user. For any user it reports true.
func (c *Call) namesUser(record []property, owner, user string) (bool, error) {
	if owner == resource.AnyUser {
		return true, nil
	}
	call, err := c.callDetail(without(record, sessionsProperty))
	if err != nil {
		return false, err
	}
	return TookPart(call, user), nil
}

func (c *Call) recordRequest(ctx context.Context, path, id string) graph.Request {
	r := c.request(ctx, path, "")
	r.Resource, r.Prefer = id, []string{preferUnknownEnums}
	return r
}

// participants reads all pages of the record's participants.
func (c *Call) participants(ctx context.Context, path, id string) ([][]byte, error) {
	r := c.recordRequest(ctx, path+"/"+participantsProperty, id)
	r.Prefer = append(r.Prefer, preferPageSize+participantPageSize)
	var all distinct
	err := eachRecord(ctx, c.graph, r, func(record []byte) error {
		all.add(record)
		return nil
	})
	return all.values, err
}

// sessions returns the sessions inside the record and those of the pages that it links to. A link that leads nowhere, or sessions that
// are missing although they were asked for, make it read the list of sessions from its start. Rows are dropped only when
// their whole content repeats: several sessions of one id are legitimate.
func (c *Call) sessions(ctx context.Context, path, id string, record []property) ([][]byte, error) {
	var all distinct
	r := c.recordRequest(ctx, path+"/"+sessionsProperty, id)
	r.Query = expandSegments()
	inside, ok := elements(find(record, sessionsProperty))
	link := nextLink(record, sessionsProperty)
	if ok && !strings.Contains(link, linkArtefact) {
		for _, session := range inside {
			all.add(session)
		}
		if link == "" {
			return all.values, nil
		}
		r.Path, r.Query, r.Link = "", nil, link
	}
	collect := func(session []byte) error {
		all.add(session)
		return nil
	}
	err := eachRecord(ctx, c.graph, r, collect)
	if link != "" && graph.LinkLost(err) {
		r.Path, r.Query, r.Link = path+"/"+sessionsProperty, expandSegments(), ""
		err = eachRecord(ctx, c.graph, r, collect)
	}
	return all.values, err
}

func expandSegments() []graph.Param {
	return []graph.Param{{Name: "$expand", Value: segmentsProperty}}
}

// segments adds the segments of pages that sessions link to. Microsoft documents no such link; one that leads nowhere leaves
// the record partial.
func (c *Call) segments(ctx context.Context, id string, record []byte, event *parleyv1.Event) error {
	table, err := c.table()
	if err != nil {
		return err
	}
	links, err := table.NestedLinks(graphmap.RootCallRecord, record)
	if err != nil {
		return malformed("a record cannot be read", err)
	}
	for _, link := range links {
		at, ok := segmentsPath(link.Path)
		if !ok || at >= len(event.GetCall().GetSessions()) {
			continue
		}
		if strings.Contains(link.URL, linkArtefact) {
			event.GetCall().Partial = true
			continue
		}
		session := event.GetCall().GetSessions()[at]
		read := link.Path[0] + "[" + link.Path[1] + "]." + link.Path[2]
		event.TruncatedFields = slices.DeleteFunc(event.GetTruncatedFields(), func(path string) bool { return path == read })
		r := c.recordRequest(ctx, "", id)
		r.Link = link.URL
		err := eachRecord(ctx, c.graph, r, func(record []byte) error {
			segment, extra, err := table.Segment(record)
			if err != nil {
				return malformed("a segment cannot be read", err)
			}
			place := strconv.Itoa(len(session.GetSegments()))
			event.Unmapped = graphmap.Merge(event.GetUnmapped(), extra, sessionsProperty, link.Path[1], segmentsProperty, place)
			session.Segments = append(session.Segments, segment)
			return nil
		})
		if graph.LinkLost(err) {
			event.GetCall().Partial = true
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// segmentsPath reads the position out of the path sessions, N, segments.
func segmentsPath(path []string) (int, bool) {
	if len(path) != 3 || path[0] != sessionsProperty || !strings.EqualFold(path[2], segmentsProperty) {
		return 0, false
	}
	at, err := strconv.Atoi(path[1])
	return at, err == nil && at >= 0
}
