package card

// key is a property of a card that is read.
type key uint8

const (
	keyOther key = iota
	keyType
	keyText
	keyTitle
	keySubtitle
	keyName
	keyValue
	keySummary
	keySubject
	keyLanguage
	keyCodeURL   // codeSnippetUrl of a Teams code snippet
	keyCode      // codeSnippet of a CodeBlock
	keyPreview   // messagePreview of a quoted message
	keyForwarded // originalMessageContent of a forwarded message
	keyActivity  // activityTitle, activitySubtitle and activityText of a connector card
	keyChildren
	keyColumns
	keyRows
	keyCells
	keyInlines
	keyFacts
)

// keyOf returns the key of a quoted name.
func keyOf(quoted []byte) key {
	switch string(quoted) {
	case `"type"`:
		return keyType
	case `"text"`:
		return keyText
	case `"title"`:
		return keyTitle
	case `"subtitle"`:
		return keySubtitle
	case `"name"`:
		return keyName
	case `"value"`:
		return keyValue
	case `"summary"`:
		return keySummary
	case `"subject"`:
		return keySubject
	case `"language"`:
		return keyLanguage
	case `"codeSnippetUrl"`:
		return keyCodeURL
	case `"codeSnippet"`:
		return keyCode
	case `"messagePreview"`:
		return keyPreview
	case `"originalMessageContent"`:
		return keyForwarded
	case `"activityTitle"`, `"activitySubtitle"`, `"activityText"`:
		return keyActivity
	case `"body"`, `"items"`, `"sections"`, `"pages"`:
		return keyChildren
	case `"columns"`:
		return keyColumns
	case `"rows"`:
		return keyRows
	case `"cells"`:
		return keyCells
	case `"inlines"`:
		return keyInlines
	case `"facts"`:
		return keyFacts
	}
	return keyOther
}
