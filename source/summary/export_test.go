package summary

// Templates are the templates by key.
func Templates() map[string]string { return templates }
