//go:build !race

package source_test

// hostileSize is the size in bytes of a hostile report.
const hostileSize = 4 << 20
