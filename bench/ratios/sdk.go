//go:build sdk

package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/parley-gateway/parley/bench/ratios/sdkpeer"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// newSDK is the contender that reads with msgraph-sdk-go.
func newSDK(address string, client *http.Client) (*contender, error) {
	reader, err := sdkpeer.New(address+"/v1.0", client)
	if err != nil {
		return nil, err
	}
	return &contender{name: "msgraph-sdk-go", run: func() (int, error) { return readWithSDK(reader) }}, nil
}

// readWithSDK is what a program on the SDK does to get the same bare events.
func readWithSDK(reader *sdkpeer.Reader) (int, error) {
	n := 0
	var failed error
	err := reader.Messages(context.Background(), short.user, func(m models.ChatMessageable) bool {
		if _, failed = proto.Marshal(eventOfSDK(m)); failed != nil {
			return false
		}
		n++
		return true
	})
	if err = errors.Join(err, failed); err != nil {
		return n, err
	}
	return counted(n)
}

func eventOfSDK(m models.ChatMessageable) *parleyv1.Event {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	stamp := func(t *time.Time) *timestamppb.Timestamp {
		if t == nil {
			return nil
		}
		return timestamppb.New(*t)
	}
	e := &parleyv1.Event{
		CreateTime: stamp(m.GetCreatedDateTime()), UpdateTime: stamp(m.GetLastModifiedDateTime()), EditTime: stamp(m.GetLastEditedDateTime()),
		DeleteTime: stamp(m.GetDeletedDateTime()), ReplyTo: text(m.GetReplyToId()), Locale: text(m.GetLocale()), WebUrl: text(m.GetWebUrl()),
		Importance: parleyv1.MessageImportance_MESSAGE_IMPORTANCE_NORMAL,
		Source:     &parleyv1.EventSource{Id: text(m.GetId()), ChatId: text(m.GetChatId()), Etag: text(m.GetEtag())},
	}
	identity := func(set models.IdentitySetable) *parleyv1.IdentitySet {
		if set == nil || set.GetUser() == nil {
			return nil
		}
		return &parleyv1.IdentitySet{User: &parleyv1.Identity{Id: text(set.GetUser().GetId()), DisplayName: text(set.GetUser().GetDisplayName())}}
	}
	if from := m.GetFrom(); from != nil {
		e.Actor = identity(from)
	}
	if body := m.GetBody(); body != nil {
		e.Body = &parleyv1.Body{Content: text(body.GetContent()), ContentType: parleyv1.ContentType_CONTENT_TYPE_HTML}
	}
	for _, mention := range m.GetMentions() {
		e.Mentions = append(e.Mentions, &parleyv1.Mention{Text: text(mention.GetMentionText())})
	}
	detail := &parleyv1.ChatDetail{MessageType: parleyv1.MessageType_MESSAGE_TYPE_MESSAGE}
	for _, reaction := range m.GetReactions() {
		r := &parleyv1.Reaction{ReactionType: text(reaction.GetReactionType()), CreateTime: stamp(reaction.GetCreatedDateTime())}
		if reaction.GetUser() != nil {
			r.User = identity(reaction.GetUser())
		}
		detail.Reactions = append(detail.Reactions, r)
	}
	e.Detail = &parleyv1.Event_Chat{Chat: detail}
	return e
}
