// Package card reads the text of cards and of quoted and forwarded messages, which come as JSON in attachments. Package
// plaintext has the rules.
//
// A [Reader] reads the JSON once and notes its texts as blocks, drops blocks that repeat another one, and writes the others.
package card
