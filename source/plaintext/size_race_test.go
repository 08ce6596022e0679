//go:build race

package plaintext_test

// hostileSize is smaller under the race detector, which makes everything ten times slower; the run without it shows
// the bound.
const hostileSize = 1 << 16
