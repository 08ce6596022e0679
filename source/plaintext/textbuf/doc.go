// Package textbuf holds what the renderers of HTML, Markdown and cards share: a buffer of bounded size, UTF-8 without
// controls, character references, and the addresses of links.
package textbuf
