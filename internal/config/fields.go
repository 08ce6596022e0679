package config

import (
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/alecthomas/kong"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/parley-gateway/parley/internal/configpb"
)

// setting is one field of Settings.
type setting struct {
	index     int
	flag, key string
	initial   string // the default
	kind      reflect.Type
	path      bool
	secret    bool // names a file that holds a secret
	graph     bool // a tenant may have one of its own
}

// secretFile matches the flags of files that hold a secret. Their values are not repeated in messages: it happens that somebody
// gives the secret itself.
var secretFile = regexp.MustCompile(`(^|-)(secret|keys?|password|certificate)-file$`)

// settings lists the fields of Settings in their order.
var settings = sync.OnceValue(func() []setting {
	var list []setting
	fields := reflect.TypeFor[Settings]()
	for i := range fields.NumField() {
		tag := fields.Field(i).Tag
		flag := tag.Get("name")
		if flag == "" {
			continue
		}
		list = append(list, setting{
			kind:  fields.Field(i).Type,
			index: i, flag: flag, key: keyOf(flag), initial: tag.Get("default"), path: tag.Get("type") == "path",
			secret: tag.Get("type") == "path" && secretFile.MatchString(flag), graph: tag.Get("group") == graphGroup,
		})
	}
	return list
})

func (s *Settings) field(of setting) reflect.Value { return reflect.ValueOf(s).Elem().Field(of.index) }

// toProto returns the settings as the proto whose rules each value must keep. A setting without a default that is empty stays unset.
func (s *Settings) toProto() *configpb.Settings {
	message := new(configpb.Settings)
	to := message.ProtoReflect()
	for _, known := range settings() {
		value := s.field(known)
		if value.IsZero() && known.initial == "" {
			continue
		}
		field := to.Descriptor().Fields().ByName(protoreflect.Name(known.key))
		if field == nil {
			continue // a test asserts that the proto has a field for every setting
		}
		switch own := value.Interface().(type) {
		case time.Duration:
			to.Set(field, protoreflect.ValueOfMessage(durationpb.New(own).ProtoReflect()))
		case int:
			to.Set(field, protoreflect.ValueOfInt64(int64(own)))
		default:
			to.Set(field, protoreflect.ValueOf(own))
		}
	}
	return message
}

// setFromProto copies the values that a message of the configuration file sets into the settings. The function where returns the origin of each.
func (s *Settings) setFromProto(message proto.Message, where func(key string) Origin) {
	from := message.ProtoReflect()
	for _, known := range settings() {
		field := from.Descriptor().Fields().ByName(protoreflect.Name(known.key))
		if field == nil || !from.Has(field) {
			continue
		}
		value, to := from.Get(field), s.field(known)
		switch to.Interface().(type) {
		case time.Duration:
			duration, ok := value.Message().Interface().(*durationpb.Duration)
			if !ok {
				continue
			}
			to.SetInt(int64(duration.AsDuration()))
		case string:
			text := value.String()
			if known.path && text != "" {
				text = kong.ExpandPath(text)
			}
			to.SetString(text)
		default:
			to.Set(reflect.ValueOf(value.Interface()).Convert(to.Type()))
		}
		s.origins[known.flag] = where(known.key)
	}
}

// quoted returns the value of a setting for the beginning of a message: in quotes, with a blank behind. It is empty where the value may
// be a secret or is long.
func (s *Settings) quoted(known setting) string {
	const most = 64
	text, ok := reflect.TypeAssert[string](s.field(known))
	if !ok || known.path || len(text) > most || strings.Contains(text, "://") {
		return ""
	}
	return quote(text) + " "
}

func quote(text string) string { return strconv.QuoteToGraphic(text) }
