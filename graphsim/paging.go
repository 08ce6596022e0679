package graphsim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
	"github.com/parley-gateway/parley/graphsim/refusal"
)

func invalidToken() *refusal.Error { return refusal.BadRequest("Invalid continuation token") }

// The folder in an export token says whether the empty page at this offset was already given.
const (
	folderData = "TeamsMessagesData"
	folderChat = "TeamChat"
)

func exportToken(skip int, folder string) string {
	return data.Base64ID(fmt.Sprintf("SkipValue=%d#MailboxFolder=MailFolders/%s", skip, folder))
}

func parseExportToken(s string) (skip int, folder string, err *refusal.Error) {
	text, bad := base64.StdEncoding.DecodeString(s)
	if bad != nil {
		return 0, "", invalidToken()
	}
	value, folder, ok := strings.Cut(strings.TrimPrefix(string(text), "SkipValue="), "#MailboxFolder=MailFolders/")
	skip, bad = strconv.Atoi(value)
	if !ok || bad != nil || skip < 0 || (folder != folderData && folder != folderChat) {
		return 0, "", invalidToken()
	}
	return skip, folder, nil
}

// exportPage returns where a page of total rows begins and ends, and the token of the next one. Unless the simulator is steady, a page now and
// then begins with the row that ended the one before, and now and then is empty although more follow.
func (x *exchange) exportPage(total, size int) (from, to int, next string, err *refusal.Error) {
	folder := folderData
	if text, ok := x.query.get("$skiptoken"); ok {
		if from, folder, err = parseExportToken(text); err != nil {
			return 0, 0, "", err
		}
	}
	from = min(from, total)
	h := data.Hash4(x.world.Seed, data.TagQuirk, uint64(from), uint64(total))
	if !x.sim.cfg.Steady && from > 0 && from < total {
		if folder == folderData && h%13 == 4 {
			return from, from, exportToken(from, folderChat), nil
		}
		if h>>8%7 == 2 && size > 1 {
			from--
		}
	}
	to = min(from+size, total)
	if to < total {
		next = exportToken(to, folderData)
	}
	return from, to, next, nil
}

// chatToken returns the token of a page of a list of chats: the offset is in its second segment, or in the binary form that tokens have with
// $orderby.
func chatToken(offset int, order chatOrder) string {
	if order == byLastMessage {
		return "1." + data.Base64ID(fmt.Sprintf("\x92\x03\x36\xc1Properties\x82SyncState%08d", offset))
	}
	at := func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000") + "+00:00" }
	inner := data.AppendJSON(nil, data.List{
		{data.Member("start", at(time.Unix(1_577_836_800, 0))), data.Member("end", at(time.Unix(1_893_456_000, 0)))},
		{data.Member("start", at(time.UnixMilli(0))), data.Member("end", at(time.UnixMilli(int64(offset))))},
	})
	return data.Base64ID(string(data.AppendJSON(nil, data.Object{data.Member("ContinuationToken", data.Base64ID(string(inner))), data.Member("ChatType", "chat|meeting|sfbinteropchat|phonechat")})))
}

// parseChatToken returns the offset of a page from its token, which chatToken made for the same order.
func parseChatToken(s string, order chatOrder) (int, *refusal.Error) {
	if order == byLastMessage {
		text, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "1."))
		if err != nil || len(text) < 8 || !strings.HasPrefix(s, "1.") {
			return 0, invalidToken()
		}
		n, err := strconv.Atoi(string(text[len(text)-8:]))
		if err != nil || n < 0 {
			return 0, invalidToken()
		}
		return n, nil
	}
	var outer struct {
		Token []byte `json:"ContinuationToken"`
	}
	var inner []struct {
		End time.Time `json:"end"`
	}
	text, err := base64.StdEncoding.DecodeString(s)
	if err != nil || json.Unmarshal(text, &outer) != nil || json.Unmarshal(outer.Token, &inner) != nil || len(inner) != 2 {
		return 0, invalidToken()
	}
	return int(inner[1].End.UnixMilli()), nil
}

// plainPage returns where a page of total rows begins and ends, and the token of the next one: an opaque offset.
func (x *exchange) plainPage(total, size int) (from, to int, next string, err *refusal.Error) {
	if text, ok := x.query.get("$skiptoken"); ok {
		if from, err = parseOffset(text); err != nil {
			return 0, 0, "", err
		}
	}
	from = min(from, total)
	if to = min(from+size, total); to < total {
		next = offsetToken(to)
	}
	return from, to, next, nil
}

func offsetToken(n int) string { return data.Base64URL(fmt.Sprintf("0:%d:", n)) }

func parseOffset(s string) (int, *refusal.Error) {
	text, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return 0, invalidToken()
	}
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(string(text), "0:"), ":"))
	if err != nil || n < 0 {
		return 0, invalidToken()
	}
	return n, nil
}
