package data

import "encoding/binary"

// Every record is a pure function of a few numbers. mix is the finalizer of SplitMix64: a bijection on 64 bits whose
// output bits all depend on all input bits.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func hash2(a, b uint64) uint64 { return mix(mix(a) ^ b) }

// Hash3 hashes a few numbers into one.
func Hash3(a, b, c uint64) uint64 { return mix(hash2(a, b) ^ c) }

// Hash4 is Hash3 with one more number.
func Hash4(a, b, c, d uint64) uint64 { return mix(Hash3(a, b, c) ^ d) }

// HashString hashes a text.
func HashString(seed uint64, s string) uint64 {
	h := mix(seed)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 0x100000001b3
	}
	return mix(h)
}

// Dice draws numbers from one record's hash.
type Dice uint64

func (d *Dice) next() uint64 {
	*d = Dice(mix(uint64(*d)))
	return uint64(*d)
}

// Under answers a number in [0, n).
func (d *Dice) Under(n int) int { return int(d.next() % uint64(max(n, 1))) }

// Chance is true in p of 1000 cases.
func (d *Dice) Chance(p int) bool { return d.Under(1000) < p }

// Unit answers a number in [0, 1).
func (d *Dice) Unit() float64 { return float64(d.next()>>11) / (1 << 53) }

func pick[T any](d *Dice, from []T) T { return from[d.Under(len(from))] }

// countFor turns a mean into a whole number of records, by chance but reproducibly.
func countFor(mean float64, h uint64) int {
	return int(mean + float64(h>>11)/(1<<53))
}

// A packed id is a GUID that hides up to 60 bits and proves that it was made with the same seed, so that an id can be
// looked up without an index of all records.
const (
	packBits = 60
	packMask = 1<<packBits - 1
)

// GUID is an id in the form of a GUID.
type GUID [16]byte

func packGUID(seed, v uint64) GUID {
	var g GUID
	binary.BigEndian.PutUint64(g[:8], hash2(seed, v&packMask))
	g[6] = g[6]&0x0f | 0x40
	x := (v & packMask) ^ (hash2(seed+1, binary.BigEndian.Uint64(g[:8])) & packMask)
	binary.BigEndian.PutUint64(g[8:], x|0x8<<packBits)
	return g
}

func unpackGUID(seed uint64, g GUID) (uint64, bool) {
	low := binary.BigEndian.Uint64(g[8:])
	v := (low ^ hash2(seed+1, binary.BigEndian.Uint64(g[:8]))) & packMask
	return v, packGUID(seed, v) == g
}

// RandomGUID returns an id that hides nothing, made of a hash.
func RandomGUID(seed uint64) GUID {
	var g GUID
	binary.BigEndian.PutUint64(g[:8], mix(seed))
	binary.BigEndian.PutUint64(g[8:], mix(seed+1))
	g[6] = g[6]&0x0f | 0x40
	g[8] = g[8]&0x3f | 0x80
	return g
}

// HexDigits are the digits of ids.
const HexDigits = "0123456789abcdef"

// Hex returns the id in 32 digits without dashes.
func (g GUID) Hex() string {
	var b [32]byte
	for i, c := range g {
		b[2*i], b[2*i+1] = HexDigits[c>>4], HexDigits[c&15]
	}
	return string(b[:])
}

func (g GUID) String() string {
	h := g.Hex()
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// parseGUID reads 32 hexadecimal digits with or without the four dashes, in either case.
func parseGUID(s string) (GUID, bool) {
	var g GUID
	n := 0
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '-' && len(s) == 36 && (i == 8 || i == 13 || i == 18 || i == 23):
			continue
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return g, false
		}
		if n == 32 {
			return g, false
		}
		g[n/2] = g[n/2]<<4 | c
		n++
	}
	return g, n == 32
}
