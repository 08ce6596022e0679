// Package markdown renders Markdown bodies of messages as text, line by line. Package plaintext has the rules.
//
// A [Writer] serves Markdown bodies and the text blocks of cards. [FromAnswer] turns an HTML answer of Copilot that holds
// Markdown into Markdown alone.
package markdown
