// Package plaintext turns message bodies of Microsoft Graph into plain, readable text: HTML and Markdown of chat
// messages, Markdown and Adaptive Cards of Copilot answers, and the attachments that a body refers to.
//
// [Plain] picks the renderer of a body's type and puts the text of each attachment in its place. The renderers are
// packages of their own: html, markdown, which builds on html, and card, which builds on both. They write into the
// buffers of textbuf.
//
// All functions are pure and safe for concurrent use. They accept any input: malformed HTML, Markdown or JSON yields
// as much text as can be read, never an error. Output is always valid UTF-8 and at most [DefaultMax] bytes (or
// [Input.Max]), truncated between characters. Cost is linear in the input: 4 MiB of anything allocates at most 32 MiB in
// total and takes well under a second.
//
// [ReplyQuote] and [HostedContents] read ids out of the same HTML: the message that a body answers, and the contents that Teams hosts
// for it.
//
// # HTML
//
// Paragraphs, divisions, headings, rows and <br> start new lines, and at most one blank line stands between two lines.
// Lists get "- " or "1. " and two spaces per level (at most eight levels), tables become rows with " | ", quotes start
// with "> ", <pre>, <code> and Teams' <codeblock> stay verbatim. <at>Name</at> reads "@Name"; emoji (those of an
// organisation too) and images are their alt text, or else "[emoji]" and "[image]"; video and sound read "[video]" and
// "[audio]"; a link reads "text (url)" unless its text is the address. No-break spaces become spaces; zero-width
// spaces and byte order marks are left out (joiners stay: emoji and several scripts need them).
//
// # Controls
//
// No text holds a control character (C0, DEL, C1) but line ends and tabs, whatever the type of the body, also where a
// character reference stands for one. Carriage returns, vertical tabs, form feeds and U+0085 of a text body end a
// line. Names (mentions, attachments, alt texts) and addresses hold no bidirectional embeddings, overrides and
// isolates (U+202A–202E, U+2066–2069) either, since they disguise what a name says; running text keeps them, and names
// keep the marks U+200E, U+200F and U+061C.
//
// # Markdown
//
// Line structure, list markers, quotes and code stay; emphasis, heading and fence marks go; links read "text (url)",
// citations "[1] (url)" or "[1]", images their alt text or "[image]". An answer of Copilot whose type says HTML is
// read as Markdown when its text has marks of Markdown, or when it has no elements but those of Teams; its elements
// then count as the Markdown that means the same.
//
// # Attachments
//
// <attachment id="…"> is replaced at its place: a card by its text on lines of its own, a quoted or forwarded message
// by "> " lines, anything else by "[name]". An unknown id, an attachment without name and text, and the second mention
// of a known one, leave nothing. Cards and quotes that the body never mentions follow after it. A message without any
// other text names what is attached to it: "[Budget.xlsx]", "[file]", "[image]", "[card]". Text inside an attachment
// is final: tags in it are not resolved again.
//
// # One answer, once
//
// Copilot's cards repeat an answer with other citation marks or link forms. Two texts are the same when their letters,
// digits and marks are equal, case aside, after link targets and citation marks ("[1]", "[^1^]", "[1](url)") are
// dropped. Of equal texts the one with more links stays, then the one with fewer broken links, then the first, at the
// place of the first. Inside a card this holds for text blocks: long ones (32 letters or more) anywhere, short ones
// only directly after each other and outside of columns; table cells and facts never. A card equal to the body around
// it, or to an earlier card of the same message, is left out.
package plaintext
