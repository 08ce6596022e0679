package config

import "strconv"

func quote(text string) string { return strconv.QuoteToGraphic(text) }
