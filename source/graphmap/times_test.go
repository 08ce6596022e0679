package graphmap

import (
	"testing"
	"time"
)

func TestTimesAreReadExactly(t *testing.T) {
	t.Parallel()
	unix := func(text string) int64 {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return at.Unix()
	}
	tests := []struct {
		text  string
		at    instant
		state timeState
	}{
		{"2026-01-02T03:04:05Z", instant{unix("2026-01-02T03:04:05Z"), 0}, timeValid},
		{"2026-01-02t03:04:05z", instant{unix("2026-01-02T03:04:05Z"), 0}, timeValid},
		{"2026-01-02T03:04:05.5Z", instant{unix("2026-01-02T03:04:05Z"), 500000000}, timeValid},
		{"2026-01-02T03:04:05.51Z", instant{unix("2026-01-02T03:04:05Z"), 510000000}, timeValid},
		{"2026-01-02T03:04:05.1234567Z", instant{unix("2026-01-02T03:04:05Z"), 123456700}, timeValid},
		{"2026-01-02T03:04:05.123456789Z", instant{unix("2026-01-02T03:04:05Z"), 123456789}, timeValid},
		{"2026-01-02T03:04:05.12345678900Z", instant{unix("2026-01-02T03:04:05Z"), 123456789}, timeValid},
		{"2026-01-02T03:04:05+02:30", instant{unix("2026-01-02T00:34:05Z"), 0}, timeValid},
		{"2026-01-02T03:04:05.007-08:00", instant{unix("2026-01-02T11:04:05Z"), 7000000}, timeValid},
		{"2026-01-02T03:04Z", instant{unix("2026-01-02T03:04:00Z"), 0}, timeValid},
		{"2024-02-29T00:00:00Z", instant{unix("2024-02-29T00:00:00Z"), 0}, timeValid},
		{"9999-12-31T23:59:59.9999999Z", instant{maxSeconds, 999999900}, timeValid},
		{"0001-01-01T00:00:00.001Z", instant{minSeconds, 1000000}, timeValid},
		{"0001-01-01T00:00:00Z", instant{}, timeUnset},
		{"0001-01-01T00:00:00.0000000Z", instant{}, timeUnset},
		{"0001-01-01T00:00:00-08:00", instant{}, timeUnset},
		{"0001-01-01T00:00:00+14:00", instant{}, timeUnset},
	}
	for _, test := range tests {
		if at, state := parseTime(test.text); at != test.at || state != test.state {
			t.Errorf("%s: %v %v instead of %v %v", test.text, at, state, test.at, test.state)
		}
	}
	for _, text := range []string{
		"", "Z", "2026-01-02", "2026-01-02T03:04:05", "2021-03-1706:47:05.123Z", "2026-01-02 03:04:05Z", "2026-13-02T03:04:05Z",
		"2026-02-30T03:04:05Z", "2025-02-29T00:00:00Z", "2026-00-02T03:04:05Z", "2026-01-00T03:04:05Z", "2026-01-02T24:00:00Z",
		"2026-01-02T03:60:05Z", "2026-01-02T03:04:60Z", "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05.1234567891Z",
		"2026-01-02T03:04:05+2:00", "2026-01-02T03:04:05+24:00", "2026-01-02T03:04:05+02:60", "2026-01-02T03:04:05+0200",
		"2026-01-02T03:04:05Zx", "+2026-01-02T03:04:05Z", "20260-01-02T03:04:05Z", "-026-01-02T03:04:05Z", "0000-01-01T00:00:00Z",
		"0001-01-01T01:00:00+02:00", "9999-12-31T23:59:59-01:00", "2026-01-02T03:04", "2026-01-02T03:04:", "2026-01-02T03:04:5Z",
		"2026-01-02T03:04:05,5Z", "２026-01-02T03:04:05Z",
	} {
		if at, state := parseTime(text); state != timeMalformed {
			t.Errorf("%s: %v %v instead of malformed", text, at, state)
		}
	}
}

func TestDurationsAreReadExactly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want instant
	}{
		{"PT0S", instant{}},
		{"PT0.016S", instant{0, 16000000}},
		{"PT1.1234567S", instant{1, 123456700}},
		{"PT0.123456789S", instant{0, 123456789}},
		{"PT0.1234567890S", instant{0, 123456789}},
		{"-PT1.5S", instant{-1, -500000000}},
		{"-PT0.5S", instant{0, -500000000}},
		{"PT1H2M3S", instant{3723, 0}},
		{"P1DT2H", instant{93600, 0}},
		{"P1D", instant{86400, 0}},
		{"P2W", instant{1209600, 0}},
		{"P1W2D", instant{777600, 0}},
		{"PT0.5H", instant{1800, 0}},
		{"PT1.25M", instant{75, 0}},
		{"P0.5D", instant{43200, 0}},
		{"P0.000000001W", instant{0, 604800}},
		{"PT007S", instant{7, 0}},
		{"PT90000S", instant{90000, 0}},
		{"PT315576000000S", instant{maxDuration, 0}},
		{"-PT315576000000S", instant{-maxDuration, 0}},
	}
	for _, test := range tests {
		if got, ok := parseDuration(test.text); !ok || got != test.want {
			t.Errorf("%s: %v %v instead of %v", test.text, got, ok, test.want)
		}
	}
	for _, text := range []string{
		"", "P", "PT", "P1DT", "T1S", "1S", "PT1", "PTS", "PT.5S", "PT1.S", "PT1.5H2M", "P0.5DT1H", "PT1S1M", "PT1M1M", "P1H", "PT1D", "P1Y",
		"P1M", "P1Y2M3DT4H", "--PT1S", "+PT1S", "pt1s", "PT1s", "PT-1S", "PT0.1234567891S", "PT315576000000.1S", "PT315576000001S",
		"PT99999999999999999999S", "P999999999999W", "PT1,5S", "PT1S ", " PT1S",
	} {
		if got, ok := parseDuration(text); ok {
			t.Errorf("%s: %v instead of an error", text, got)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	for _, seed := range []string{"2026-01-02T03:04:05.1234567Z", "0001-01-01T00:00:00Z", "2021-03-1706:47:05.123Z", "2026-01-02T03:04:05-08:00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, state := parseTime(text)
		want, err := time.Parse(time.RFC3339Nano, text)
		if state == timeValid && err == nil && (at.seconds != want.Unix() || int(at.nanos) != want.Nanosecond()) {
			t.Fatalf("%q: %v instead of %v", text, at, want)
		}
		switch {
		case state == timeValid && (at.seconds < minSeconds || at.seconds > maxSeconds || at.nanos < 0 || at.nanos >= nanosPerSecond):
			t.Fatalf("%q: %v is out of range", text, at)
		case state != timeValid && at != instant{}:
			t.Fatalf("%q: %v though it is not valid", text, at)
		}
	})
}

func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"PT0.016S", "-P1DT2H3M4.5S", "P2W", "PT0.5H", "P1Y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := parseDuration(text)
		if !ok {
			if got != (instant{}) {
				t.Fatalf("%q: %v though it is not valid", text, got)
			}
			return
		}
		if got.seconds > maxDuration || got.seconds < -maxDuration || got.nanos <= -nanosPerSecond || got.nanos >= nanosPerSecond ||
			(got.seconds > 0 && got.nanos < 0) || (got.seconds < 0 && got.nanos > 0) {
			t.Fatalf("%q: %v is out of range", text, got)
		}
		if again, ok := parseDuration("-" + text); ok && (again.seconds != -got.seconds || again.nanos != -got.nanos) {
			t.Fatalf("%q: %v, but with a minus %v", text, got, again)
		}
	})
}
