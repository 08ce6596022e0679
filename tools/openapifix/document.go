package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// object is a JSON object of the document.
type object = map[string]any

// document is an OpenAPI 3.1 document, its members in reading order.
type document struct {
	OpenAPI    string     `json:"openapi"`
	Info       object     `json:"info"`
	Servers    []object   `json:"servers"`
	Security   []object   `json:"security"`
	Tags       []object   `json:"tags"`
	Paths      object     `json:"paths"`
	Components components `json:"components"`
	Reasons    []object   `json:"x-parley-reasons,omitempty"`
}

// components holds what the paths refer to.
type components struct {
	Headers         object `json:"headers,omitempty"`
	Parameters      object `json:"parameters,omitempty"`
	Responses       object `json:"responses,omitempty"`
	SecuritySchemes object `json:"securitySchemes,omitempty"`
	Schemas         object `json:"schemas"`
}

// readParts joins all documents below folder. The same schema in two parts must be equal, the same path may not come twice.
func readParts(folder string) (*document, error) {
	doc := &document{Paths: object{}, Components: components{Schemas: object{}}}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".json") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var part document
		if err := json.Unmarshal(text, &part); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		doc.OpenAPI = part.OpenAPI
		doc.Tags = append(doc.Tags, part.Tags...)
		if err := joinDistinct(doc.Paths, part.Paths); err != nil {
			return fmt.Errorf("%s: paths: %w", path, err)
		}
		if err := joinEqual(doc.Components.Schemas, part.Components.Schemas); err != nil {
			return fmt.Errorf("%s: schemas: %w", path, err)
		}
		return nil
	})
	if err == nil && len(doc.Paths) == 0 {
		err = fmt.Errorf("no OpenAPI file with a path below %s", folder)
	}
	return doc, err
}

// joinDistinct adds the members of from; a name that is there already is an error.
func joinDistinct(into, from object) error {
	for key, value := range from {
		if _, there := into[key]; there {
			return fmt.Errorf("%s comes twice", key)
		}
		into[key] = value
	}
	return nil
}

// joinEqual adds the members of from; a name that is there already with another value is an error.
func joinEqual(into, from object) error {
	for key, value := range from {
		if old, there := into[key]; there && !reflect.DeepEqual(old, value) {
			return fmt.Errorf("%s comes twice", key)
		}
		into[key] = value
	}
	return nil
}
