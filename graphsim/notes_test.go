package graphsim_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/parley-gateway/parley/graphsim"
)

// TestNotesToOneselfAreBelowTheUserAlone: the thread with oneself is under one id for every user. Its messages are given below the user and in the export, with
// ids that other users' notes have too; the chat and its members are not, and no list has it.
func TestNotesToOneselfAreBelowTheUserAlone(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *graphsim.Config) {
		c.Users, c.Chats, c.Messages, c.Interactions, c.Calls, c.Days, c.Notes = 6, 12, 100, 10, 10, 20, 2
	})
	c := newClient(t, s)
	var ids [2][]string
	users := slices.Collect(s.Oracle("").Users())
	for i, user := range users[:2] {
		path := "/v1.0/users/" + user.ID + "/chats/48:notes"
		for _, refused := range []string{path, path + "/members", "/v1.0/chats/48:notes", "/v1.0/chats/48:notes/members", "/v1.0/chats/48:notes/messages"} {
			if a := c.get(refused); a.status != http.StatusBadRequest {
				t.Errorf("%s: %d %s", refused, a.status, a.body)
			}
		}
		rows, _ := c.all(path + "/messages?$top=2")
		exported, _ := c.all("/v1.0/users/" + user.ID + "/chats/getAllMessages")
		exported = slices.DeleteFunc(exported, func(r row) bool { return text(r, "chatId") != "48:notes" })
		for r := range s.Oracle("").Notes(user.ID, time.Time{}, time.Time{}) {
			ids[i] = append(ids[i], r.ID)
		}
		if len(rows) == 0 || len(rows) != len(ids[i]) || len(exported) != len(rows) {
			t.Fatalf("%d messages, %d in the export, want %d", len(rows), len(exported), len(ids[i]))
		}
		for _, r := range rows {
			if from := text(r, "from", "user", "id"); from != user.ID || text(r, "chatId") != "48:notes" || text(r, "messageType") != "message" {
				t.Errorf("message %v", r)
			}
		}
		if one := c.entity(path + "/messages/" + ids[i][0]); text(one, "id") != ids[i][0] {
			t.Errorf("message %v", one)
		}
		chats, _ := c.all("/v1.0/users/" + user.ID + "/chats?$top=50")
		if slices.ContainsFunc(chats, func(r row) bool { return text(r, "id") == "48:notes" }) {
			t.Error("notes are listed")
		}
	}
	if !slices.Equal(ids[0], ids[1]) {
		t.Errorf("ids %v and %v", ids[0], ids[1])
	}
	for _, target := range []string{"/v1.0/users/" + users[2].ID + "/chats/48:notes/messages", "/v1.0/users/" + users[0].ID + "/chats/48:nothing/messages"} {
		if a := c.get(target); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", target, a.status)
		}
	}
	if _, err := graphsim.New(graphsim.Config{Users: 3, Notes: 4}); err == nil {
		t.Error("more notes than users")
	}
}
