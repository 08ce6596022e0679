//go:build !race

package plaintext_test

// hostileSize is the size in bytes of a hostile input.
const hostileSize = 4 << 20
