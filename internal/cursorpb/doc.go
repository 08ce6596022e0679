// Package cursorpb is the generated code of cursor.proto: what a page token or resume token holds before it is sealed. It is no part of the
// public contract; package cursor alone reads and writes it.
package cursorpb
