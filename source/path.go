package source

import (
	"strings"

	"github.com/parley-gateway/parley/graphclient/graph"
)

// segment escapes an id as one path segment. Ids that could be read as another path have no record: NotFound, unasked.
func segment(id string) (string, error) {
	if id == "" || id == "." || id == ".." || strings.ContainsAny(id, `/\`) {
		return "", notFound("the id cannot be one of Graph's")
	}
	return graph.Escape(id), nil
}

// userPath is /users/{user} plus rest.
func userPath(user, rest string) (string, error) {
	u, err := segment(user)
	if err != nil {
		return "", err
	}
	return "/users/" + u + rest, nil
}

// chatPath is /users/{user}/chats/{chat} plus rest.
func chatPath(user, chat, rest string) (string, error) {
	c, err := segment(chat)
	if err != nil {
		return "", err
	}
	return userPath(user, "/chats/"+c+rest)
}
