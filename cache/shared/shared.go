// Package shared keeps values in a store that several replicas share, below the memory of each. Values are sealed: a value is
// compressed, encrypted and bound to its whole key, and its name in the store is a code of the key. Anything else that the store answers
// is a miss, and so is a store that does not answer: no method returns its errors.
//
// The age of a value and the time until which it may be served are in the sealed part, so that they hold on every replica whatever the
// store does. Values are written behind, by one goroutine, from a queue that drops what it has no room for.
package shared

import (
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/parley-gateway/parley/cache"
)

// Store keeps bytes by name.
type Store interface {
	// Get returns the value of a name; nil = there is none.
	Get(ctx context.Context, name string) ([]byte, error)
	// Set puts a value for a time.
	Set(ctx context.Context, name string, value []byte, life time.Duration) error
}

// Leases let one replica make a value while the others wait for it.
type Leases interface {
	// Claim returns the value of a name. Without a value it takes the lease of the name, or begins it anew if this replica holds it;
	// held is how much longer another replica holds the lease, 0 = this one has taken it.
	Claim(ctx context.Context, name string, lease time.Duration) (value []byte, held time.Duration, err error)
	// Release ends the lease and wakes the replicas that wait for it.
	Release(ctx context.Context, name string) error
	// Watch returns a channel that is closed when a lease of the name ends.
	Watch(name string) (ended <-chan struct{}, cancel func())
}

// Sealer seals values and makes names.
type Sealer interface {
	// Name returns the name of a key.
	Name(key string) string
	// SealBytes encrypts a value, bound to associated data, and OpenBytes decrypts it.
	SealBytes(plain, associated []byte) ([]byte, error)
	OpenBytes(sealed, associated []byte) ([]byte, error)
}

// Observer counts what the store itself does not see.
type Observer interface {
	// SharedRequest reports an operation and its result: a value that was put in vain (dropped), or that cannot be used (invalid).
	SharedRequest(op, result string, took time.Duration)
}

// Operations and results that Values reports to its Observer.
const (
	opGet         = "get"
	opSet         = "set"
	resultInvalid = "invalid"
	resultDropped = "dropped"
)

// Bounds.
const (
	// MaxValue is the longest sealed value that is put, in bytes.
	MaxValue = 4 << 20
	// maxPlain bounds what a value is decompressed to.
	maxPlain = 64 << 20
	// maxQueue and maxQueuedBytes bound the values that wait to be put.
	maxQueue       = 256
	maxQueuedBytes = 32 << 20
	// lease is how long others wait for a replica that is gone. A replica begins its leases anew after each renewal.
	lease   = 5 * time.Second
	renewal = lease / 4
)

// Config describes Values.
type Config struct {
	Store  Store
	Leases Leases
	Sealer Sealer
	// Build names the form of the values: replicas of another build do not see them.
	Build    string
	Observer Observer
}

// Values keeps values in a Store. It is safe for concurrent use; Close it.
type Values struct {
	cfg     Config
	encoder *zstd.Encoder
	decoder *zstd.Decoder

	mu        sync.Mutex
	ownLeases map[string]struct{} // their names

	queue  chan job
	queued atomic.Int64    // bytes
	ctx    context.Context //nolint:containedctx // ends with Close
	stop   context.CancelFunc
	writer sync.WaitGroup
}

// job is a value to put, or a lease to end after those before it were put.
type job struct {
	key     string
	read    time.Time
	expires time.Time
	size    int64
	encode  func() []byte
	lease   string // name of the lease to end; empty = a value is put
}

// New returns Values over a store.
func New(cfg Config) (*Values, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxPlain), zstd.WithDecoderConcurrency(0))
	if err != nil {
		return nil, err
	}
	v := &Values{cfg: cfg, encoder: encoder, decoder: decoder, ownLeases: make(map[string]struct{}), queue: make(chan job, maxQueue)}
	v.ctx, v.stop = context.WithCancel(context.Background())
	v.writer.Go(v.write)
	return v, nil
}

// Close drops what waits to be put and ends the writer.
func (v *Values) Close() {
	v.stop()
	v.writer.Wait()
	v.decoder.Close()
}

// Value is a value of the store.
type Value struct {
	// Bytes are the value, ReadAt is when it was true, and Expires when it may no longer be served.
	Bytes           []byte
	ReadAt, Expires time.Time
}

// Get returns a value that ctx's Control accepts; nil = there is none.
func (v *Values) Get(ctx context.Context, key string) *Value {
	key = v.buildKey(key)
	sealed, err := v.cfg.Store.Get(ctx, v.cfg.Sealer.Name(key))
	if err != nil || sealed == nil {
		return nil
	}
	return v.accepted(ctx, key, sealed)
}

// accepted opens a sealed value; nil = it cannot be opened, or ctx's Control does not accept it.
func (v *Values) accepted(ctx context.Context, key string, sealed []byte) *Value {
	value := v.open(key, sealed)
	if value == nil {
		v.cfg.Observer.SharedRequest(opGet, resultInvalid, 0)
		return nil
	}
	if !cache.ControlOf(ctx).Accepts(value.ReadAt, value.Expires) {
		return nil
	}
	return value
}

// Invalid counts a value that could be opened and whose bytes its reader cannot decode.
func (v *Values) Invalid() { v.cfg.Observer.SharedRequest(opGet, resultInvalid, 0) }

// Claim is Get for a value that the caller makes when there is none. It waits for another replica that is making the value, for maxWait at
// most: after that, or when the other one ended without a value, the caller makes it as well. The caller calls done in the end, whether or not
// it has put the value. A caller with cache directives of its own takes no lease and waits for nobody: Claim is Get then.
func (v *Values) Claim(ctx context.Context, key string, maxWait time.Duration) (value *Value, done func()) {
	done = func() {}
	control := cache.ControlOf(ctx)
	if control.NoCache || control.MaxAge != nil || control.OnlyIfCached {
		return v.Get(ctx, key), done
	}
	ofBuild := v.buildKey(key)
	name := v.cfg.Sealer.Name(ofBuild)
	ended, cancel := v.cfg.Leases.Watch(name)
	defer cancel()
	enough := time.NewTimer(maxWait)
	defer enough.Stop()
	for {
		sealed, held, err := v.cfg.Leases.Claim(ctx, name, lease)
		switch {
		case err != nil:
			return nil, done
		case sealed != nil:
			return v.accepted(ctx, ofBuild, sealed), done
		case held <= 0:
			v.hold(name)
			return nil, func() { v.enqueue(job{lease: name}) }
		}
		timer := time.NewTimer(min(held, lease))
		select {
		case <-timer.C:
			continue // the lease goes on, or is to be had
		case <-ended:
			value = v.Get(ctx, key)
		case <-enough.C:
		case <-ctx.Done():
		}
		timer.Stop()
		return value, done
	}
}

// hold notes a lease of this replica, which renew begins anew until done is called.
func (v *Values) hold(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ownLeases[name] = struct{}{}
}

// renew begins the leases anew that this replica holds.
func (v *Values) renew() {
	v.mu.Lock()
	names := slices.Collect(maps.Keys(v.ownLeases))
	v.mu.Unlock()
	for _, name := range names {
		if _, _, err := v.cfg.Leases.Claim(v.ctx, name, lease); err != nil {
			return
		}
	}
}

// Put puts a value that was true at a time, for a life since then. encode returns its bytes, of about the given size, or nil if there is
// nothing to put; it is called later.
func (v *Values) Put(key string, read time.Time, life time.Duration, size int64, encode func() []byte) {
	expires := read.Add(life)
	if time.Until(expires) <= 0 {
		return
	}
	v.enqueue(job{key: v.buildKey(key), read: read, expires: expires, size: size, encode: encode})
}

// enqueue adds a job to the queue, or drops it if the queue is full. A lease whose job was dropped ends by itself.
func (v *Values) enqueue(j job) {
	if j.lease != "" {
		v.mu.Lock()
		delete(v.ownLeases, j.lease)
		v.mu.Unlock()
	}
	if v.queued.Add(j.size) <= maxQueuedBytes || j.size == 0 {
		select {
		case v.queue <- j:
			return
		default:
		}
	}
	v.queued.Add(-j.size)
	v.cfg.Observer.SharedRequest(opSet, resultDropped, 0)
}

// write puts what is in the queue until Close.
func (v *Values) write() {
	renewals := time.NewTicker(renewal)
	defer renewals.Stop()
	for {
		select {
		case <-v.ctx.Done():
			return
		case <-renewals.C:
			v.renew()
		case j := <-v.queue:
			v.run(j)
			v.queued.Add(-j.size)
		}
	}
}

// run puts a value, or ends a lease. The store reports failures to its own Observer.
func (v *Values) run(j job) {
	if j.lease != "" {
		_ = v.cfg.Leases.Release(v.ctx, j.lease)
		return
	}
	left := time.Until(j.expires)
	if left <= 0 {
		return
	}
	value := j.encode()
	if value == nil {
		return
	}
	sealed, err := v.seal(j, value)
	if err != nil || len(sealed) > MaxValue {
		v.cfg.Observer.SharedRequest(opSet, resultDropped, 0)
		return
	}
	_ = v.cfg.Store.Set(v.ctx, v.cfg.Sealer.Name(j.key), sealed, left)
}

// buildKey is a key of this build.
func (v *Values) buildKey(key string) string { return v.cfg.Build + "\x00" + key }

// head is the length of the times before a value.
const head = 16

// seal compresses and encrypts the value of a job with its times.
func (v *Values) seal(j job, value []byte) ([]byte, error) {
	plain := binary.BigEndian.AppendUint64(make([]byte, 0, head+j.size), uint64(j.read.UnixNano()))
	plain = binary.BigEndian.AppendUint64(plain, uint64(j.expires.UnixNano()))
	plain = v.encoder.EncodeAll(value, plain)
	return v.cfg.Sealer.SealBytes(plain, []byte(j.key))
}

// open is seal the other way round; nil = this is no value of the key.
func (v *Values) open(key string, sealed []byte) *Value {
	plain, err := v.cfg.Sealer.OpenBytes(sealed, []byte(key))
	if err != nil || len(plain) < head {
		return nil
	}
	at := func(from int) time.Time { return time.Unix(0, int64(binary.BigEndian.Uint64(plain[from:]))) }
	value, err := v.decoder.DecodeAll(plain[head:], nil)
	if err != nil {
		return nil
	}
	return &Value{value, at(0), at(8)}
}
