package main

import (
	"fmt"
	"strings"
)

// client is one client of the handbook: the files that it consists of, and the commands that make and run it.
type client struct {
	name   string
	script string            // the whole block
	files  map[string]string // by path
}

// run is the last line of the script, which runs the client once it is made.
func (c client) run() string {
	lines := strings.Split(strings.TrimSpace(c.script), "\n")
	return lines[len(lines)-1]
}

// sharedFile stands in no client's section and is beside every client.
const sharedFile = "service-config.json"

// readClients finds the clients of a page. A fence `sh NAME` is the commands of the client NAME, any other fence with a second
// word the file of that path; a heading ends a client.
func readClients(page string) ([]client, error) {
	var clients []client
	current, shared := client{files: map[string]string{}}, ""
	finish := func() error {
		switch {
		case current.name != "":
			clients = append(clients, current)
		case len(current.files) > 0:
			return fmt.Errorf("%d files stand before the commands of no client", len(current.files))
		}
		current = client{files: map[string]string{}}
		return nil
	}
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		if strings.HasPrefix(lines[i], "## ") || strings.HasPrefix(lines[i], "### ") {
			if err := finish(); err != nil {
				return nil, err
			}
			continue
		}
		info, isFence := strings.CutPrefix(lines[i], "```")
		if !isFence {
			continue
		}
		var body strings.Builder
		for i++; i < len(lines) && lines[i] != "```"; i++ {
			body.WriteString(lines[i] + "\n")
		}
		if i == len(lines) {
			return nil, fmt.Errorf("the fence %q does not end", info)
		}
		switch language, name, _ := strings.Cut(info, " "); {
		case name == "":
		case name == sharedFile:
			shared = body.String()
		case language == "sh":
			current.name, current.script = name, body.String()
		default:
			current.files[name] = body.String()
		}
	}
	if err := finish(); err != nil {
		return nil, err
	}
	for _, c := range clients {
		c.files[sharedFile] = shared
	}
	return clients, nil
}
