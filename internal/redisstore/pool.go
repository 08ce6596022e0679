package redisstore

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/parley-gateway/parley/graphclient/ratelimit"
)

// Pool keeps the limits of one application in one tenant in the store. Its budgets lie together on one server of a cluster.
type Pool struct {
	store *Store
	group string
	names func(string) string
}

var _ ratelimit.Pool = (*Pool)(nil)

// Pool returns the pool of an application. names returns the name under which the store holds a budget or an application.
func (s *Store) Pool(application string, names func(string) string) *Pool {
	return &Pool{s, names("pool " + application), names}
}

// Up implements ratelimit.Pool.
func (p *Pool) Up() bool { return p.store.Up() }

// Replicas implements ratelimit.Pool.
func (p *Pool) Replicas() int { return p.store.Replicas() }

// Part implements ratelimit.Pool.
func (p *Pool) Part() float64 { return p.store.Part() }

func (p *Pool) name(budget string) string {
	return p.store.name("budget", p.group) + ":" + p.names(budget)
}

// reserve takes a slot of the budgets KEYS, the narrowest first. Times are microseconds. ARGV: how long the request can wait, whether the request was told to
// come now, the time within which slots are taken together, and for each budget every, burst, most, span, headroom and cold. A budget is a
// hash: next (when a bucket without a burst gives the next slot), promised (when those that have not asked yet may have one), closed and
// suspected (its gates), slots (of one that counts). The answer is the outcome, the wait, and the place of the budget that makes it wait.
//
//nolint:dupword // Lua ends blocks one after the other
var reserve = rueidis.NewLuaScript(`
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local maxWait, promised, together = tonumber(ARGV[1]), ARGV[2] == '1', tonumber(ARGV[3])
local last = #KEYS
local own, ready = {}, {}
local closed, suspected, closedBy, suspectedBy = 0, 0, 0, 0
for i = 1, last do
  local a = 3 + (i - 1) * 6
  local b = {every = tonumber(ARGV[a + 1]), burst = tonumber(ARGV[a + 2]), most = tonumber(ARGV[a + 3]), span = tonumber(ARGV[a + 4]),
    headroom = tonumber(ARGV[a + 5]), cold = ARGV[a + 6] == '1', slots = {}}
  local h = redis.call('HMGET', KEYS[i], 'next', 'promised', 'closed', 'suspected', 'slots')
  b.next = h[1] and tonumber(h[1])
  if not b.next then
    b.next = now
    if b.cold then b.next = now + (b.burst - 1) * b.every end
  end
  b.promised, b.closed, b.suspected = tonumber(h[2] or '0'), tonumber(h[3] or '0'), tonumber(h[4] or '0')
  if b.closed - now > closed then closed, closedBy = b.closed - now, i end
  if b.suspected - now > suspected then suspected, suspectedBy = b.suspected - now, i end
  if b.most > 0 then
    for at in string.gmatch(h[5] or '', '%d+') do
      at = tonumber(at)
      if at > now - b.span then b.slots[#b.slots + 1] = at end
    end
    local most = b.most - b.headroom
    ready[i] = now
    if #b.slots >= most then ready[i] = math.max(now, b.slots[#b.slots - most + 1] + b.span) end
  else
    ready[i] = math.max(now, b.next - (b.burst - 1 - b.headroom) * b.every)
  end
  own[i] = b
end
if closed > 0 then return {1, closed, closedBy} end
if suspected > 0 then return {2, suspected, suspectedBy} end
local slot, blocked, at = ready[last], 0, ready[last] + together
for i = 1, last - 1 do
  if not promised then ready[i] = math.max(ready[i], own[i].promised) end
  slot = math.max(slot, ready[i])
  if ready[i] > at then blocked, at = i, ready[i] end
end
if slot - now > maxWait then return {4, slot - now, math.max(blocked, 1)} end
local function save(i, field, value)
  local b = own[i]
  local left = math.max(b.next, b.promised, b.closed, b.suspected, slot + b.span) - now + b.burst * b.every
  if b.cold then left = left + 600000000 end
  redis.call('HSET', KEYS[i], field, value)
  redis.call('PEXPIRE', KEYS[i], string.format('%.0f', left / 1000 + 1000))
end
if blocked > 0 then
  local b = own[blocked]
  b.promised = at + b.every
  save(blocked, 'promised', string.format('%.0f', b.promised))
  return {3, at - now, blocked}
end
for i = 1, last do
  local b = own[i]
  if b.most > 0 then
    b.slots[#b.slots + 1] = slot
    table.sort(b.slots)
    for j = 1, #b.slots do b.slots[j] = string.format('%.0f', b.slots[j]) end
    save(i, 'slots', table.concat(b.slots, ' '))
  elseif b.every > 0 then
    b.next = math.max(b.next, slot) + b.every
    save(i, 'next', string.format('%.0f', b.next))
  end
end
return {0, slot - now, last}`)

// Reserve implements ratelimit.Pool.
func (p *Pool) Reserve(ctx context.Context, req ratelimit.PoolRequest) (grant ratelimit.Grant, err error) {
	keys := make([]string, len(req.Budgets))
	args := append(make([]string, 0, 3+6*len(keys)), micros(req.MaxWait), flag(req.Promised), micros(ratelimit.MaxSlotGap))
	for i, b := range req.Budgets {
		keys[i] = p.name(b.Name)
		args = append(args, micros(b.Every), strconv.Itoa(b.Burst), strconv.Itoa(b.Most), micros(b.Span), strconv.Itoa(b.Headroom), flag(b.Cold))
	}
	err = p.store.do(ctx, OpReserve, func(ctx context.Context, client rueidis.Client) (string, error) {
		answer, err := reserve.Exec(ctx, client, keys, args).AsIntSlice()
		if err != nil {
			return "", err
		}
		if len(answer) != 3 || answer[2] < 1 || answer[2] > int64(len(keys)) || answer[0] > int64(ratelimit.TooLate) {
			return "", errAnswer
		}
		grant = ratelimit.Grant{Outcome: ratelimit.Outcome(answer[0]), Wait: time.Duration(answer[1]) * time.Microsecond, Budget: int(answer[2]) - 1}
		return ResultOK, nil
	})
	return grant, err
}

// setGates changes the gates KEYS; ARGV has for each the field and for how long it is closed, or 0 to open it. Times are microseconds.
//
//nolint:dupword // Lua ends blocks one after the other
var setGates = rueidis.NewLuaScript(`
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
for i = 1, #KEYS do
  local field, wait = ARGV[2 * i - 1], tonumber(ARGV[2 * i])
  if wait > 0 then
    local before = tonumber(redis.call('HGET', KEYS[i], field) or '0')
    local left = math.max(redis.call('PTTL', KEYS[i]), wait / 1000 + 1000)
    redis.call('HSET', KEYS[i], field, string.format('%.0f', math.max(before, now + wait)))
    redis.call('PEXPIRE', KEYS[i], string.format('%.0f', left))
  elseif field == 'suspected' then
    redis.call('HDEL', KEYS[i], field)
  end
end
return 1`)

// SetGates implements ratelimit.Pool.
func (p *Pool) SetGates(ctx context.Context, gates []ratelimit.Gate) error {
	keys, args := make([]string, len(gates)), make([]string, 0, 2*len(gates))
	for i, gate := range gates {
		keys[i] = p.name(gate.Name)
		field := "closed"
		if gate.Suspected {
			field = "suspected"
		}
		args = append(args, field, micros(gate.Wait))
	}
	return p.store.do(ctx, OpGate, func(ctx context.Context, client rueidis.Client) (string, error) {
		return ResultOK, setGates.Exec(ctx, client, keys, args).Error()
	})
}

func micros(d time.Duration) string { return strconv.FormatInt(max(d.Microseconds(), 0), 10) }

func flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}
