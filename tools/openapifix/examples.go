package main

import "encoding/json"

// addExample gives the answer of an operation the example that the simulator gave; an operation may have none yet.
func addExample(operation, examples object) {
	example := examples[text(operation["operationId"])]
	if example == nil {
		return
	}
	content := asObject(asObject(asObject(operation["responses"])["200"])["content"])
	for kind, media := range content {
		if kind == "text/event-stream" {
			asObject(media)["example"] = serverSentEvent(asObject(example))
			continue
		}
		asObject(media)["example"] = example
	}
}

// serverSentEvent writes a frame as `text/event-stream` has it: named after the frame's property.
func serverSentEvent(frame object) string {
	for name := range frame {
		data, err := json.Marshal(frame)
		if err != nil {
			return "" // it came from JSON: this does not happen
		}
		return "event: " + name + "\ndata: " + string(data) + "\n\n"
	}
	return ""
}
