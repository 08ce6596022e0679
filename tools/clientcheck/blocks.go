package main

import (
	"fmt"
	"strings"

	"github.com/parley-gateway/parley/tools/internal/fences"
)

// client is one client of the handbook: the files that it consists of, and the commands that make and run it.
type client struct {
	name   string
	script string            // the whole block
	files  map[string]string // by path
}

// lastLine is the last line of the script, which runs the client once it is made.
func (c client) lastLine() string {
	lines := strings.Split(strings.TrimSpace(c.script), "\n")
	return lines[len(lines)-1]
}

// sharedFile stands in no client's section and is beside every client.
const sharedFile = "service-config.json"

// readClients finds the clients of a page. A fence `sh NAME` is the commands of the client NAME, any other fence with a second
// word the file of that path; a heading ends a client.
func readClients(page string) ([]client, error) {
	blocks, err := fences.Read(page)
	if err != nil {
		return nil, err
	}
	var clients []client
	current, shared := client{files: map[string]string{}}, ""
	for _, b := range append(blocks, fences.Block{Heading: true}) { // the end of the page ends a client, too
		switch {
		case b.Heading && current.name != "":
			clients = append(clients, current)
			current = client{files: map[string]string{}}
		case b.Heading && len(current.files) > 0:
			return nil, fmt.Errorf("%d files stand before the commands of no client", len(current.files))
		case b.Heading, b.Word == "":
		case b.Word == sharedFile:
			shared = b.Text
		case b.Language == "sh":
			current.name, current.script = b.Word, b.Text
		default:
			current.files[b.Word] = b.Text
		}
	}
	for _, c := range clients {
		c.files[sharedFile] = shared
	}
	return clients, nil
}
