package names

import (
	"errors"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/resource"
)

// nameless are the people in events whom Graph names by object id alone, by the id in lower case.
func nameless(events []*parleyv1.Event) map[string]*person {
	people := map[string]*person{}
	for i, event := range events {
		chat := ""
		if event.GetSource().GetSource() != parleyv1.Source_SOURCE_COPILOT {
			chat = event.GetSource().GetChatId()
		}
		visit(event.ProtoReflect(), func(identity *parleyv1.Identity) {
			id := objectID(identity)
			if id == "" || identity.GetDisplayName() != "" {
				return
			}
			p := people[id]
			if p == nil {
				p = &person{}
				people[id] = p
			}
			p.places = append(p.places, identity)
			if !slices.Contains(p.events, i) {
				p.events = append(p.events, i)
			}
			if chat != "" && !slices.Contains(p.chats, chat) {
				p.chats = append(p.chats, chat)
			}
		})
	}
	return people
}

const (
	orgMRI       = "8:orgid:" // how Teams writes the object id of a person
	identityName = protoreflect.FullName("parley.v1.Identity")
	setName      = protoreflect.FullName("parley.v1.IdentitySet")
	modelPackage = protoreflect.FullName("parley.v1")
)

// objectID is the Entra object id of an identity in lower case; empty for identities of other kinds.
func objectID(identity *parleyv1.Identity) string {
	id := identity.GetId()
	if id == "" {
		id, _ = strings.CutPrefix(identity.GetMri(), orgMRI)
	}
	if !resource.IsObjectID(id) {
		return ""
	}
	return strings.ToLower(id)
}

// visit calls do for every identity in a message that stands for a person: of an identity set its user, and identities by themselves.
func visit(m protoreflect.Message, do func(*parleyv1.Identity)) {
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		inner := field.Message()
		switch {
		case inner == nil || field.IsMap() || inner.ParentFile().Package() != modelPackage:
		case m.Descriptor().FullName() == setName && field.Name() != "user":
		case field.IsList():
			for i := range value.List().Len() {
				visitOne(value.List().Get(i).Message(), do)
			}
		default:
			visitOne(value.Message(), do)
		}
		return true
	})
}

func visitOne(m protoreflect.Message, do func(*parleyv1.Identity)) {
	if m.Descriptor().FullName() != identityName {
		visit(m, do)
		return
	}
	if identity, ok := m.Interface().(*parleyv1.Identity); ok {
		do(identity)
	}
}

func isNotFound(err error) bool {
	graphErr, ok := errors.AsType[*graph.Error](err)
	return ok && graphErr.Kind == graph.KindNotFound
}
