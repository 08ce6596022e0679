//go:build !race

package graphmap_test

// hostileSize is the size in bytes of a hostile record.
const hostileSize = 4 << 20
