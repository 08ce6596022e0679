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

// settingSpec describes one setting, a field of Settings, as the tag of the field does.
type settingSpec struct {
	index     int // of the field
	flag, key string
	initial   string // the default
	kind      reflect.Type
	path      bool // the value is the path of a file
	secret    bool // the file holds a secret
	graph     bool // a tenant may have one of its own
}

// secretFile matches the flags of files that hold a secret. Their values are not repeated in messages: it happens that somebody
// gives the secret itself.
var secretFile = regexp.MustCompile(`(^|-)(secret|keys?|password|certificate)-file$`)

// settingSpecs describes the settings in the order of their fields.
var settingSpecs = sync.OnceValue(func() []settingSpec {
	var list []settingSpec
	fields := reflect.TypeFor[Settings]()
	for i := range fields.NumField() {
		tag := fields.Field(i).Tag
		flag := tag.Get("name")
		if flag == "" {
			continue
		}
		list = append(list, settingSpec{
			kind:  fields.Field(i).Type,
			index: i, flag: flag, key: keyOf(flag), initial: tag.Get("default"), path: tag.Get("type") == "path",
			secret: tag.Get("type") == "path" && secretFile.MatchString(flag), graph: tag.Get("group") == graphGroup,
		})
	}
	return list
})

func (s *Settings) field(of settingSpec) reflect.Value {
	return reflect.ValueOf(s).Elem().Field(of.index)
}

// toProto returns the settings as the proto whose rules each value must keep. A setting without a default that is empty stays unset.
func (s *Settings) toProto() *configpb.Settings {
	message := new(configpb.Settings)
	to := message.ProtoReflect()
	for _, spec := range settingSpecs() {
		value := s.field(spec)
		if value.IsZero() && spec.initial == "" {
			continue
		}
		field := to.Descriptor().Fields().ByName(protoreflect.Name(spec.key))
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
	for _, spec := range settingSpecs() {
		field := from.Descriptor().Fields().ByName(protoreflect.Name(spec.key))
		if field == nil || !from.Has(field) {
			continue
		}
		value, to := from.Get(field), s.field(spec)
		switch to.Interface().(type) {
		case time.Duration:
			duration, ok := value.Message().Interface().(*durationpb.Duration)
			if !ok {
				continue
			}
			to.SetInt(int64(duration.AsDuration()))
		case string:
			text := value.String()
			if spec.path && text != "" {
				text = kong.ExpandPath(text)
			}
			to.SetString(text)
		default:
			to.Set(reflect.ValueOf(value.Interface()).Convert(to.Type()))
		}
		s.origins[spec.flag] = where(spec.key)
	}
}

// quoted returns the value of a setting for the beginning of a message: in quotes, with a blank behind. It is empty where the value may
// be a secret or is long.
func (s *Settings) quoted(spec settingSpec) string {
	const most = 64
	text, ok := reflect.TypeAssert[string](s.field(spec))
	if !ok || spec.path || len(text) > most || strings.Contains(text, "://") {
		return ""
	}
	return quote(text) + " "
}

func quote(text string) string { return strconv.QuoteToGraphic(text) }
