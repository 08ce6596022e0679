package source

import (
	"bytes"
	"context"
	"io"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source/graphmap"
	"github.com/parley-gateway/parley/source/plaintext"
)

// ContentGraph is the client that contents are asked through; *graphclient.Client is one.
type ContentGraph interface {
	Graph

	// Content asks for the bytes of an entity.
	Content(ctx context.Context, request graph.Request) (*graphclient.Content, error)
}

var _ ContentGraph = (*graphclient.Client)(nil)

// HostedContents reads the contents that Teams hosts for the messages of chats, pictures above all.
type HostedContents struct {
	base

	members  members
	contents ContentGraph
}

// NewHostedContents returns the source of hosted contents.
func NewHostedContents(client ContentGraph, opt Options) *HostedContents {
	return &HostedContents{base: newBase(client, opt, parleyv1.Source_SOURCE_CHAT), members: newMembers(client, opt), contents: client}
}

// HostedContent opens one content of a message, with the media type that Graph gives it. It verifies that the chat is one of the user's,
// as Event of Chat does. The caller closes the body. Errors are *graph.Error or context errors.
func (h *HostedContents) HostedContent(ctx context.Context, user string, ref Ref, id string) (body io.ReadCloser, mediaType string, err error) {
	message, err := segment(ref.ID)
	if err != nil {
		return nil, "", err
	}
	content, err := segment(id)
	if err != nil {
		return nil, "", err
	}
	path, err := chatPath(user, ref.Chat, "/messages/"+message+"/hostedContents/"+content+"/$value")
	if err != nil {
		return nil, "", err
	}
	if err := h.members.verify(ctx, user, ref.Chat); err != nil {
		return nil, "", err
	}
	r := h.request(ctx, path, "")
	r.User, r.Resource = user, threadBudget(user, ref.Chat)
	answer, err := h.contents.Content(ctx, r)
	if err != nil {
		return nil, "", err
	}
	return answer.Body, answer.MediaType, nil
}

// fillHosted names the hosted contents that the HTML of a message refers to.
func fillHosted(d *graphmap.Draft, owner string, ref resource.Ref) {
	body := d.Child(eventRoot, eventwire.EventBody)
	if body == graphmap.NoNode || ref.Chat == "" {
		return
	}
	// Most bodies have no such link, which is seen before they are copied.
	content := d.Text(d.Child(body, eventwire.BodyContent))
	if !bytes.Contains(content, []byte(plaintext.HostedPath)) {
		return
	}
	for _, id := range plaintext.HostedContents(string(content), ref.ID) {
		d.AddBuilt(body, eventwire.BodyHostedContents, func(to []byte) []byte {
			name := resource.AppendHostedContent(nil, owner, ref, id)
			to = protowire.AppendBytes(protowire.AppendTag(to, eventwire.HostedContentLinkName, protowire.BytesType), name)
			return protowire.AppendString(protowire.AppendTag(to, eventwire.HostedContentLinkID, protowire.BytesType), id)
		})
	}
}
