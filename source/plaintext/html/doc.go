// Package html renders HTML bodies of messages as text. Package plaintext has the rules.
//
// A [Scanner] splits the body into tokens without copying. The renderer walks them once and lays the text out in lines: it
// holds white space and line ends back until a visible character follows. [Simple] finds bodies that are their own text.
package html
