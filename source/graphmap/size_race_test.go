//go:build race

package graphmap_test

// hostileSize is smaller under the race detector, which makes everything slower; the run without it shows the bound.
const hostileSize = 1 << 16
