//go:build !race

package text_test

// hostileSize is the size in bytes of a hostile input.
const hostileSize = 4 << 20
