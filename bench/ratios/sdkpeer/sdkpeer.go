//go:build sdk

// Package sdkpeer reads chat messages the way a program built on msgraph-sdk-go does: with its PageIterator.
package sdkpeer

import (
	"context"
	"fmt"
	"net/http"

	"github.com/microsoft/kiota-abstractions-go/authentication"
	msgraph "github.com/microsoftgraph/msgraph-sdk-go"
	core "github.com/microsoftgraph/msgraph-sdk-go-core"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/users"
)

// Reader is a client of one Graph address.
type Reader struct {
	client  *msgraph.GraphServiceClient
	adapter *msgraph.GraphRequestAdapter
}

// New returns a reader of the Graph at url, which has a version at its end. It sends no token.
func New(url string, client *http.Client) (*Reader, error) {
	adapter, err := msgraph.NewGraphRequestAdapterWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
		&authentication.AnonymousAuthenticationProvider{}, nil, nil, client)
	if err != nil {
		return nil, fmt.Errorf("make an adapter: %w", err)
	}
	adapter.SetBaseUrl(url)
	return &Reader{client: msgraph.NewGraphServiceClient(adapter), adapter: adapter}, nil
}

// Messages calls each for every message of all pages of the user's chats.
func (r *Reader) Messages(ctx context.Context, user string, each func(models.ChatMessageable) bool) error {
	first, err := r.client.Users().ByUserId(user).Chats().GetAllMessages().GetAsGetAllMessagesGetResponse(ctx, nil)
	if err != nil {
		return fmt.Errorf("ask for the first page: %w", err)
	}
	pages, err := core.NewPageIterator[models.ChatMessageable](first, r.adapter,
		users.CreateItemChatsGetAllMessagesGetResponseFromDiscriminatorValue)
	if err != nil {
		return fmt.Errorf("make an iterator: %w", err)
	}
	if err := pages.Iterate(ctx, each); err != nil {
		return fmt.Errorf("iterate: %w", err)
	}
	return nil
}
