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

// expected says what is wrong with a text that is no value of a type. It does not repeat the text, which may be a secret.
var expected = map[reflect.Type]string{
	boolType: "is not true or false", intType: "is not a whole number, such as 50", uintType: "is not a whole number from 0 on, such as 1",
	floatType: "is not a number, such as 0.5", durationType: "is not a duration; write one such as 90s, 15m or 36h",
}

// tags are the YAML tags of the types that protoyaml looks at.
var tags = map[reflect.Type]string{boolType: "!!bool"}

// plain returns a text as protoyaml reads it, and whether it is a value of the setting. protoyaml has fewer words for true and false
// than kong and other forms of numbers.
func (s setting) plain(text string) (plain string, ok bool) {
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
