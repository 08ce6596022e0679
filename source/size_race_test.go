//go:build race

package source_test

// hostileSize is smaller under the race detector, which makes everything slower; the run without it shows the bound.
const hostileSize = 1 << 18
