package config

import (
	"reflect"
	"strconv"
	"strings"
	"time"
)

// The types of settings. Text is read alike wherever it stands: in a flag, a variable or the file.
var (
	boolType     = reflect.TypeFor[bool]()
	intType      = reflect.TypeFor[int]()
	uintType     = reflect.TypeFor[uint64]()
	floatType    = reflect.TypeFor[float64]()
	durationType = reflect.TypeFor[time.Duration]()
)

// mistakes says, by type, what is wrong with a text that is no value of the type. It does not repeat the text, which may be a secret.
var mistakes = map[reflect.Type]string{
	boolType: "is not true or false", intType: "is not a whole number, such as 50", uintType: "is not a whole number from 0 on, such as 1",
	floatType: "is not a number, such as 0.5", durationType: "is not a duration; write one such as 90s, 15m or 36h",
}

// yamlTags are the YAML tags that protoyaml expects at the values of some types. Values of the other types have none.
var yamlTags = map[reflect.Type]string{boolType: "!!bool"}

// forProtoyaml rewrites the text of a value as protoyaml reads it, which knows fewer words for true and false than kong, and other forms
// of numbers. It reports whether the text is a value of the setting.
func (s settingSpec) forProtoyaml(text string) (rewritten string, ok bool) {
	switch s.kind {
	case boolType:
		switch strings.ToLower(text) {
		case "true", "yes", "1":
			return "true", true
		case "false", "no", "0":
			return "false", true
		default:
			return "", false
		}
	case intType:
		n, err := strconv.ParseInt(text, 0, strconv.IntSize)
		return strconv.FormatInt(n, 10), err == nil
	case floatType:
		_, err := strconv.ParseFloat(text, 64)
		return text, err == nil
	case durationType:
		d, err := time.ParseDuration(text)
		return d.String(), err == nil
	default:
		return text, true
	}
}
