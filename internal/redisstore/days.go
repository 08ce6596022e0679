package redisstore

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/parley-gateway/parley/graphclient/ratelimit"
)

var _ ratelimit.DayPool = (*Pool)(nil)

// takeDay counts a request in the count KEYS[1] of at most ARGV[1] a day. A count is a hash: the number of the day, and what was sent. The
// answer is what remains, or -1, and the milliseconds until the next day.
var takeDay = rueidis.NewLuaScript(`
local time = redis.call('TIME')
local today = math.floor(time[1] / 86400)
local left = (today + 1) * 86400000 - time[1] * 1000 - math.floor(time[2] / 1000)
local h = redis.call('HMGET', KEYS[1], 'day', 'sent')
local sent = 0
if tonumber(h[1] or '-1') == today then sent = tonumber(h[2] or '0') end
if sent >= tonumber(ARGV[1]) then return {-1, left} end
redis.call('HSET', KEYS[1], 'day', string.format('%.0f', today), 'sent', string.format('%.0f', sent + 1))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', left + 1000))
return {ARGV[1] - sent - 1, left}`)

// TakeDay implements ratelimit.DayPool.
func (p *Pool) TakeDay(ctx context.Context, caller string, limit int) (remain int, wait time.Duration, err error) {
	err = p.store.do(ctx, OpDay, func(ctx context.Context, client rueidis.Client) (string, error) {
		answer, err := takeDay.Exec(ctx, client, []string{p.day(caller)}, []string{strconv.Itoa(limit)}).AsIntSlice()
		if err != nil {
			return "", err
		}
		if len(answer) != 2 {
			return "", errAnswer
		}
		if answer[0] < 0 {
			wait = time.Duration(max(answer[1], 1)) * time.Millisecond
		}
		remain = int(max(answer[0], 0))
		return ResultOK, nil
	})
	return remain, wait, err
}

// giveDayBack takes one off the count KEYS[1].
var giveDayBack = rueidis.NewLuaScript(`
local sent = tonumber(redis.call('HGET', KEYS[1], 'sent') or '0')
if sent > 0 then redis.call('HSET', KEYS[1], 'sent', string.format('%.0f', sent - 1)) end
return 1`)

// GiveDayBack implements ratelimit.DayPool.
func (p *Pool) GiveDayBack(ctx context.Context, caller string) error {
	return p.store.do(ctx, OpDay, func(ctx context.Context, client rueidis.Client) (string, error) {
		return ResultOK, giveDayBack.Exec(ctx, client, []string{p.day(caller)}, nil).Error()
	})
}

// day names the count of a caller.
func (p *Pool) day(caller string) string {
	return p.store.name("day", p.group) + ":" + p.names("caller "+caller)
}
