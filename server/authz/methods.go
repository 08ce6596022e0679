package authz

import (
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// Method describes an RPC to the policy.
type Method struct {
	// Name is the method's name without its service.
	Name string
	// Sources are the sources that the method may read; a request may name fewer.
	Sources []parleyv1.Source
	// PerUser is set where a request names the user whose data it reads; the others read the whole tenant.
	PerUser bool
	// HasView is set where a request has a view.
	HasView bool
}

// serviceSources are the sources behind each service.
var serviceSources = map[protoreflect.Name][]parleyv1.Source{
	"ConversationService": {parleyv1.Source_SOURCE_CONVERSATION, parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CALL},
	"EventService":        source.EventSources(),
	"CopilotUsageService": {parleyv1.Source_SOURCE_USAGE},
	"UserService":         {parleyv1.Source_SOURCE_USER},
}

// methods are all RPCs of the API by name.
var methods = findMethods()

func findMethods() map[string]Method {
	found := make(map[string]Method)
	for _, file := range []protoreflect.FileDescriptor{
		parleyv1.File_parley_v1_conversation_service_proto, parleyv1.File_parley_v1_event_service_proto,
		parleyv1.File_parley_v1_usage_service_proto, parleyv1.File_parley_v1_user_service_proto,
	} {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				method := service.Methods().Get(j)
				fields := method.Input().Fields()
				found[string(method.Name())] = Method{
					Name: string(method.Name()), Sources: serviceSources[service.Name()],
					PerUser: fields.ByName("parent") != nil || fields.ByName("name") != nil,
					HasView: fields.ByName("view") != nil,
				}
			}
		}
	}
	return found
}

// Methods returns all RPCs of the API, sorted by name.
func Methods() []Method {
	return slices.SortedFunc(maps.Values(methods), func(a, b Method) int { return strings.Compare(a.Name, b.Name) })
}

// Names of sources and views by number.
var (
	sourceNames = shortNames("SOURCE_", parleyv1.Source_name)
	viewNames   = shortNames("EVENT_VIEW_", parleyv1.EventView_name)
)

// shortNames returns the names of an enum's values without their prefix and in lower case.
func shortNames(prefix string, names map[int32]string) map[int32]string {
	short := make(map[int32]string, len(names))
	for number, name := range names {
		short[number] = strings.ToLower(strings.TrimPrefix(name, prefix))
	}
	return short
}

// SourceName is a source as policies and audit records spell it: "copilot" for SOURCE_COPILOT.
func SourceName(src parleyv1.Source) string {
	if name, ok := sourceNames[int32(src)]; ok {
		return name
	}
	return src.String()
}

// ViewName is a view as policies and audit records spell it: "basic" for EVENT_VIEW_BASIC; empty for none.
func ViewName(view parleyv1.EventView) string {
	if view == parleyv1.EventView_EVENT_VIEW_UNSPECIFIED {
		return ""
	}
	if name, ok := viewNames[int32(view)]; ok {
		return name
	}
	return view.String()
}

// SourceNames returns the names of sources as policies and audit records spell them.
func SourceNames(sources []parleyv1.Source) []string {
	names := make([]string, 0, len(sources))
	for _, src := range sources {
		names = append(names, SourceName(src))
	}
	return names
}

// valuesByName returns an enum's values by their short names; the zero value has none.
func valuesByName[E ~int32](shortNames map[int32]string) map[string]E {
	values := make(map[string]E, len(shortNames))
	for number, name := range shortNames {
		if number != 0 {
			values[name] = E(number)
		}
	}
	return values
}

var (
	sourcesByName = valuesByName[parleyv1.Source](sourceNames)
	viewsByName   = valuesByName[parleyv1.EventView](viewNames)
)

// sortedKeys returns the keys of a table in their order.
func sortedKeys[V any](table map[string]V) []string { return slices.Sorted(maps.Keys(table)) }
