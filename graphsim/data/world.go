package data

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	// DayMS is a day in milliseconds.
	DayMS = int64(24 * time.Hour / time.Millisecond)
	// MaxIndex is the largest number of users and of chats.
	MaxIndex = 1 << 24
)

// Tags keep the hashes of different kinds of records apart, and mark packed ids.
const (
	tagUser = iota + 1
	tagExternal
	tagChat
	tagMember
	tagMessage
	tagMessageCount
	tagReaction
	tagTurn
	tagTurnCount
	tagSession
	tagCall
	tagCallCount
	tagSegment
	TagUsage
	TagQuirk
	tagJitter
)

// World is the data of one tenant. It holds who is in which chat; every other record is computed.
type World struct {
	cfg       Config
	ID        string
	Domain    string
	Seed      uint64
	anchorDay int64 // the day on which the simulator was made, in days since 1970
	firstDay  int64
	People    People
	Chats     func() *ChatTable
	copilot   func() *copilotRates
	indexes   indexCache
}

// Config describes the data of one tenant.
type Config struct {
	// Tenant is the directory's GUID, Number its place among the simulator's tenants.
	Tenant string
	Number int
	// Seed chooses the data.
	Seed uint64
	// Users, Chats, Messages, Interactions and Calls are the least numbers of records, Notes is how many users have written to
	// themselves, Days how far back messages and interactions reach.
	Users, Chats, Messages, Interactions, Calls, Notes, Days int
	// Now is the clock. Records later than it do not exist yet.
	Now func() time.Time
}

// NewWorld prepares the data of a tenant; no record is made yet.
func NewWorld(cfg Config) *World {
	w := &World{cfg: cfg, ID: cfg.Tenant, Seed: HashString(cfg.Seed, cfg.Tenant), anchorDay: cfg.Now().UnixMilli() / DayMS, Domain: "lindenhall.example"}
	if number := cfg.Number; number > 0 {
		w.Domain = fmt.Sprintf("%s.tenant%d.example", strings.ToLower(firstNames[number%len(firstNames)]), number)
	}
	w.firstDay = w.anchorDay - int64(cfg.Days) + 1
	w.People = People{seed: w.Seed, users: cfg.Users, domain: w.Domain, tenant: cfg.Tenant}
	w.Chats = sync.OnceValue(w.buildChats)
	w.copilot = sync.OnceValue(w.buildCopilotRates)
	return w
}

// Users is the number of users.
func (w *World) Users() int { return w.cfg.Users }

// Begin is the beginning of the world's first day, in milliseconds.
func (w *World) Begin() int64 { return w.firstDay * DayMS }

// NowMS is the instant of the clock, in milliseconds.
func (w *World) NowMS() int64 { return w.cfg.Now().UnixMilli() }

func weekday(day int64) time.Weekday { return time.Weekday((day + 4) % 7) }

// activity is the share of a working day's traffic that a day sees.
func activity(day int64) float64 {
	if wd := weekday(day); wd == time.Saturday || wd == time.Sunday {
		return 0.08
	}
	return 1
}

// timeOfDay places a record within its day: mostly in office hours, a little in the evening, rarely at night.
func timeOfDay(d *Dice, zone int) int64 {
	var hour float64
	switch r := d.Under(100); {
	case r < 84:
		hour = 8 + 10*d.Unit()
	case r < 95:
		hour = 6.5 + 15*d.Unit()
	default:
		hour = 24 * d.Unit()
	}
	ms := int64((hour - float64(zone)) * float64(time.Hour/time.Millisecond))
	return min(max(ms, 0), DayMS-1024)
}

// zones are the offices' offsets from UTC in hours.
var zones = [...]int{0, 1, 1, 2, 0, -1}

// Day returns the day of an instant in milliseconds, in days since 1970.
func Day(ms int64) int64 {
	if ms < 0 {
		return (ms - DayMS + 1) / DayMS
	}
	return ms / DayMS
}

// TeamsTime writes milliseconds with two or three digits, as Teams does.
func TeamsTime(ms int64) string {
	s := time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
	if s[len(s)-2] == '0' {
		s = s[:len(s)-2] + "Z"
	}
	return s
}

// callNS is an instant of the call record service in nanoseconds: whole seconds in a quarter of the records, else with
// digits beyond the millisecond that come from h.
func callNS(ms int64, h uint64) int64 {
	switch h % 4 {
	case 0:
		return (ms - ms%1000) * 1_000_000
	case 1:
		return ms*1_000_000 + int64(1+h/4%999)*1000
	default:
		return ms*1_000_000 + int64(1+h/4%9999)*100
	}
}

// callTime writes such an instant with 0, 6 or 7 digits.
func callTime(ms int64, h uint64) string {
	t := time.Unix(0, callNS(ms, h)).UTC()
	switch h % 4 {
	case 0:
		return t.Format("2006-01-02T15:04:05Z")
	case 1:
		return t.Format("2006-01-02T15:04:05.000000Z")
	default:
		return t.Format("2006-01-02T15:04:05.0000000Z")
	}
}

const noTime = "0001-01-01T00:00:00Z"
