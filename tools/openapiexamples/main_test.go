package main

import (
	"encoding/json"
	"testing"
)

func TestOneItem(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ body, want string }{
		"a page":          {`{"events":[{"name":"a"},{"name":"b"}],"complete":true}`, `{"complete":true,"events":[{"name":"a"}]}`},
		"a frame":         {`{"batch":{"events":[{"name":"a"},{"name":"b"}]}}`, `{"batch":{"events":[{"name":"a"}]}}`},
		"an empty list":   {`{"events":[]}`, `{"events":[]}`},
		"a large number":  {`{"version":12345678901234567890}`, `{"version":12345678901234567890}`},
		"deeper lists":    {`{"events":[{"links":[1,2]}]}`, `{"events":[{"links":[1,2]}]}`},
		"no list at all":  {`{"name":"a"}`, `{"name":"a"}`},
		"an empty object": {`{}`, `{}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			value, err := oneItem([]byte(test.body))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := json.Marshal(value); err != nil || string(got) != test.want {
				t.Errorf("%s, %v; want %s", got, err, test.want)
			}
		})
	}
	if _, err := oneItem([]byte("[")); err == nil {
		t.Error("broken JSON is read")
	}
}
