// Command openapiexamples asks a demo gateway every operation of the OpenAPI document once, and writes the answers as the document's
// examples.
//
// Usage: openapiexamples PARLEY-BINARY OPENAPI-DOCUMENT OUTPUT-FILE
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/parley-gateway/parley/tools/demo"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: openapiexamples PARLEY-BINARY OPENAPI-DOCUMENT OUTPUT-FILE")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "openapiexamples:", err)
		os.Exit(1)
	}
}

// operation is what the tool reads of the document.
type operation struct {
	OperationID string `json:"operationId"`
	Parameters  []struct {
		Name     string `json:"name"`
		In       string `json:"in"`
		Required bool   `json:"required"`
	} `json:"parameters"`
}

func run(ctx context.Context, binary, document, output string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	raw, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	var doc struct {
		Paths map[string]struct {
			Get operation `json:"get"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return fmt.Errorf("%s: %w", document, err)
	}
	started, err := demo.Start(ctx, binary)
	if err != nil {
		return err
	}
	defer started.Stop()
	asked := gateway{started}
	ids, err := asked.identifiers(ctx)
	if err != nil {
		return err
	}
	examples := map[string]any{}
	for path, item := range doc.Paths {
		example, err := asked.example(ctx, path, item.Get, ids)
		if err != nil {
			return fmt.Errorf("%s: %w", item.Get.OperationID, err)
		}
		if example != nil {
			examples[item.Get.OperationID] = example
		}
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(examples); err != nil {
		return err
	}
	return os.WriteFile(output, text.Bytes(), 0o644)
}

// gateway is a demo that is asked over REST.
type gateway struct{ *demo.Gateway }

// identifiers returns the last segments of the names of a user, a conversation of theirs and one of its events.
func (g gateway) identifiers(ctx context.Context) (map[string]string, error) {
	ids := map[string]string{}
	for _, step := range []struct{ parameter, target, list string }{
		{"user", "/v1/users?pageSize=1", "users"},
		{"conversation", "/v1/users/%s/conversations?pageSize=1", "conversations"},
		{"event", "/v1/users/%s/events?pageSize=1&sources=SOURCE_CHAT&orderBy=event_time%%20desc", "events"},
	} {
		target := step.target
		if strings.Contains(target, "%s") {
			target = fmt.Sprintf(target, ids["user"])
		}
		body, err := g.Get(ctx, target)
		if err != nil {
			return nil, err
		}
		var page map[string]json.RawMessage
		var resources []struct {
			Name string `json:"name"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(page[step.list], &resources); err != nil || len(resources) == 0 {
			return nil, fmt.Errorf("%s has no %s: %w", target, step.list, err)
		}
		ids[step.parameter] = resources[0].Name[strings.LastIndexByte(resources[0].Name, '/')+1:]
	}
	return ids, nil
}

// example asks an operation for as little as it can give: a JSON answer whole, the first frame of a stream, the first lines of a
// report.
func (g gateway) example(ctx context.Context, path string, op operation, ids map[string]string) (any, error) {
	target := path
	query := url.Values{}
	for _, parameter := range op.Parameters {
		switch {
		case parameter.In == "path" && ids[parameter.Name] == "":
			return nil, nil //nolint:nilnil // nothing that the simulator has at hand is of this kind: such an operation has no example
		case parameter.In == "path":
			target = strings.ReplaceAll(target, "{"+parameter.Name+"}", url.PathEscape(ids[parameter.Name]))
		case parameter.Name == "pageSize":
			query.Set("pageSize", "1")
		case parameter.Name == "period":
			query.Set("period", "D7")
		case parameter.Name == "startTime" && strings.Contains(target, "/events"): // lists of chats have no interval
			query.Set("startTime", time.Now().UTC().AddDate(0, 0, -7).Format(time.DateOnly)+"T00:00:00Z")
		case parameter.Required:
			return nil, fmt.Errorf("no value for %s", parameter.Name)
		}
	}
	body, err := g.Get(ctx, target+"?"+query.Encode())
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasSuffix(path, ":download"):
		lines := bytes.SplitAfterN(body, []byte("\n"), 4)
		return string(bytes.Join(lines[:min(3, len(lines))], nil)), nil
	case strings.HasSuffix(path, ":stream"):
		first, _, _ := bytes.Cut(body, []byte("\n"))
		return oneItem(first)
	default:
		return oneItem(body)
	}
}

// oneItem reads JSON and leaves one element of each list of a frame or answer.
func oneItem(body []byte) (any, error) {
	var value map[string]any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	for name, member := range value {
		switch member := member.(type) {
		case []any:
			value[name] = member[:min(1, len(member))]
		case map[string]any:
			for inner, list := range member {
				if list, is := list.([]any); is {
					member[inner] = list[:min(1, len(list))]
				}
			}
		}
	}
	return value, nil
}
