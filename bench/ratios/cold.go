package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/source/graphmap"
)

const messages = "/chats/getAllMessages"

// cold are the ways from Graph's pages to encoded events.
type cold struct {
	sdk            *contender // nil in a program that was built without the tag sdk
	plain, ceiling *contender
	bare, whole    *contender
}

// all are the contenders, the slowest first.
func (c *cold) all() []*contender {
	others := []*contender{c.plain, c.bare, c.whole, c.ceiling}
	if c.sdk == nil {
		return others
	}
	return append([]*contender{c.sdk}, others...)
}

func newCold(address string) (*cold, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
	sdk, err := newSDK(address, client)
	if err != nil {
		return nil, fmt.Errorf("sdk: %w", err)
	}
	parley, err := graphclient.New(graphclient.Config{BaseURL: address, TenantID: tenant, Limits: ratelimit.LimitTable{}})
	if err != nil {
		return nil, fmt.Errorf("parley: %w", err)
	}
	table, err := graphmap.New()
	if err != nil {
		return nil, fmt.Errorf("parley: %w", err)
	}
	chat := source.NewChat(parley, source.Options{Tenant: tenant, Table: table})
	return &cold{
		sdk:     sdk,
		plain:   &contender{name: "encoding/json", run: func() (int, error) { return readPlainly(client, address) }},
		ceiling: &contender{name: "fetch only", run: func() (int, error) { return fetchOnly(client, address) }},
		bare:    &contender{name: "Parley, bare event", run: func() (int, error) { return readBare(parley, table) }},
		whole:   &contender{name: "Parley, whole model", run: func() (int, error) { return readWhole(chat) }},
	}, nil
}

var errCount = errors.New("other rows than were sent")

func counted(n int) (int, error) {
	if n != short.rows {
		return n, errCount
	}
	return n, nil
}

// readBare takes each record through the table and encodes it: no names, plain text or digests.
func readBare(client *graphclient.Client, table *graphmap.Table) (int, error) {
	n := 0
	request := graph.Request{API: graph.APIChat, Version: "v1.0", Path: "/users/" + short.user + messages, User: short.user}
	for {
		page, err := client.Page(context.Background(), request)
		if err != nil {
			return n, fmt.Errorf("page: %w", err)
		}
		if n, err = bareEvents(table, page, n); err != nil {
			return n, err
		}
		page.Release()
		if page.NextLink == "" {
			return counted(n)
		}
		request = graph.Request{API: graph.APIChat, Version: "v1.0", User: short.user, Link: page.NextLink}
	}
}

func readWhole(chat *source.Chat) (int, error) {
	n, link := 0, ""
	q := source.EventQuery{Owner: short.user, User: short.user, Start: short.start, End: short.end()}
	for {
		page, err := chat.Events(context.Background(), q, link)
		if err != nil {
			return n, fmt.Errorf("page: %w", err)
		}
		for i := range page.Items {
			if err := wholeEvent(&page.Items[i]); err != nil {
				return n, err
			}
			n++
		}
		if link = page.Next; link == "" {
			return counted(n)
		}
	}
}

// plainMessage is what a program on encoding/json declares.
type plainMessage struct {
	ID, ReplyToID, ETag, ChatID, Locale, WebURL, Importance, MessageType string
	CreatedDateTime, LastModifiedDateTime                                *time.Time
	LastEditedDateTime, DeletedDateTime                                  *time.Time
	From                                                                 *plainSet
	Body                                                                 *struct{ ContentType, Content string }
	Mentions                                                             []struct{ MentionText string }
	Reactions                                                            []struct {
		ReactionType    string
		CreatedDateTime *time.Time
		User            *plainSet
	}
}

type plainSet struct {
	User *struct{ ID, DisplayName string }
}

func (s *plainSet) identity() *parleyv1.IdentitySet {
	if s == nil || s.User == nil {
		return nil
	}
	return &parleyv1.IdentitySet{User: &parleyv1.Identity{Id: s.User.ID, DisplayName: s.User.DisplayName}}
}

func readPlainly(client *http.Client, address string) (int, error) {
	n, link := 0, address+"/v1.0/users/"+short.user+messages
	for link != "" {
		body, err := fetch(client, link)
		if err != nil {
			return n, err
		}
		var answer struct {
			Link  string `json:"@odata.nextLink"`
			Value []plainMessage
		}
		if err := json.Unmarshal(body, &answer); err != nil { //nolint:musttag // names that differ in case alone need no tag
			return n, fmt.Errorf("decode: %w", err)
		}
		for i := range answer.Value {
			if _, err := proto.Marshal(answer.Value[i].event()); err != nil {
				return n, fmt.Errorf("encode: %w", err)
			}
			n++
		}
		link = answer.Link
	}
	return counted(n)
}

func (m *plainMessage) event() *parleyv1.Event {
	stamp := func(t *time.Time) *timestamppb.Timestamp {
		if t == nil {
			return nil
		}
		return timestamppb.New(*t)
	}
	e := &parleyv1.Event{
		CreateTime: stamp(m.CreatedDateTime), UpdateTime: stamp(m.LastModifiedDateTime), EditTime: stamp(m.LastEditedDateTime),
		DeleteTime: stamp(m.DeletedDateTime), ReplyTo: m.ReplyToID, Locale: m.Locale, WebUrl: m.WebURL,
		Source: &parleyv1.EventSource{Id: m.ID, ChatId: m.ChatID, Etag: m.ETag}, Actor: m.From.identity(),
	}
	if m.Body != nil {
		e.Body = &parleyv1.Body{Content: m.Body.Content}
	}
	for _, mention := range m.Mentions {
		e.Mentions = append(e.Mentions, &parleyv1.Mention{Text: mention.MentionText})
	}
	detail := &parleyv1.ChatDetail{}
	for _, r := range m.Reactions {
		detail.Reactions = append(detail.Reactions, &parleyv1.Reaction{
			ReactionType: r.ReactionType, CreateTime: stamp(r.CreatedDateTime), User: r.User.identity(),
		})
	}
	e.Detail = &parleyv1.Event_Chat{Chat: detail}
	return e
}

// fetchOnly reads the pages and finds their links: no decoder can be faster.
func fetchOnly(client *http.Client, address string) (int, error) {
	n, link := 0, address+"/v1.0/users/"+short.user+messages
	for link != "" {
		body, err := fetch(client, link)
		if err != nil {
			return n, err
		}
		_, rest, more := strings.Cut(string(body[:min(len(body), 512)]), `"@odata.nextLink":"`)
		link = ""
		if more {
			link, _, _ = strings.Cut(rest, `"`)
		}
		n += pageRows
	}
	return counted(n)
}

func fetch(client *http.Client, link string) ([]byte, error) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, link, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return body, nil
}
