package source

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
)

const (
	uidBytes = 18  // 144 bits, 24 characters
	maxKey   = 192 // longest key in bytes; cursors hold one per source
	keyPart  = "\x00"
)

// digest is a short, URL-safe SHA-256 over length-prefixed parts, so that no two lists of parts run together.
func digest(parts ...string) string { return string(appendDigest(nil, parts...)) }

// appendDigest appends what digest returns.
func appendDigest(b []byte, parts ...string) []byte {
	var buffer [512]byte
	all := buffer[:0]
	for _, part := range parts {
		all = append(binary.BigEndian.AppendUint64(all, uint64(len(part))), part...)
	}
	sum := sha256.Sum256(all)
	return base64.RawURLEncoding.AppendEncode(b, sum[:uidBytes])
}

// interactionKey distinguishes interactions of one id: ids are milliseconds, and a prompt and its answer may share one.
type interactionKey struct{ kind, request string }

// interactionKeyOf returns the key of an interaction. The type is spelled as Graph spells it, but for its case, so that a contract that comes to know it
// changes no uid.
func interactionKeyOf(known parleyv1.InteractionType, other, request string) interactionKey {
	switch known {
	case parleyv1.InteractionType_INTERACTION_TYPE_USER_PROMPT:
		return interactionKey{"userprompt", request}
	case parleyv1.InteractionType_INTERACTION_TYPE_AI_RESPONSE:
		return interactionKey{"airesponse", request}
	default:
		return interactionKey{strings.ToLower(other), request}
	}
}

// eventKey is Item.Key: (chat or channel, id) of a message, with the owner in threads that every user has; (owner, session, id,
// type, request) of an interaction, (id) of a call. A record without an id is told apart by its bytes. Long keys are digested;
// equal things still have equal keys.
func eventKey(owner string, ref resource.Ref, interaction interactionKey, record []byte) string {
	id := ref.ID
	if id == "" {
		id = "?" + digest(string(record))
	}
	var parts []string
	switch ref.Source {
	case parleyv1.Source_SOURCE_CHAT:
		parts = []string{ref.Chat, id}
		if ref.Chat == "" || EveryUserHas(ref.Chat) {
			parts = []string{ref.Chat, strings.ToLower(owner), id}
		}
	case parleyv1.Source_SOURCE_COPILOT:
		parts = []string{strings.ToLower(owner), ref.Session, id, interaction.kind, interaction.request}
	default:
		parts = []string{id}
	}
	if key := strings.Join(parts, keyPart); len(key) <= maxKey {
		return key
	}
	return "#" + digest(parts...)
}

// appendEventUID appends Event.uid: the digest of tenant, source and key.
func appendEventUID(b []byte, tenant string, source parleyv1.Source, key string) []byte {
	return appendDigest(b, "event", tenant, source.String(), key)
}

// conversationUID is Conversation.uid: the digest of tenant and chat id, with the owner of a thread that every user has.
func conversationUID(tenant, chat, owner string) string {
	if EveryUserHas(chat) {
		return digest("conversation", tenant, chat, strings.ToLower(owner))
	}
	return digest("conversation", tenant, chat)
}

// DerivedUID is Conversation.uid of a conversation that is derived from events: that of the chat where its id is a thread's. A
// session that is no thread is one owner's.
func DerivedUID(tenant, id, owner string) string {
	tenant = strings.ToLower(tenant)
	if _, isCall := resource.CallOfConversation(id); isCall || strings.Contains(id, "@") {
		return conversationUID(tenant, id, owner)
	}
	return digest("conversation", tenant, id, strings.ToLower(owner))
}
