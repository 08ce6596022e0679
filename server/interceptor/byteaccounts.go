package interceptor

import (
	"cmp"
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/timeline"
)

// answerAccount counts the bytes of a unary call: first the bytes that its answer is expected to take, then the bytes
// of the answer itself.
type answerAccount struct {
	*ledger.Account

	limits   *Limits
	call     accountedCall
	expected int64
}

// openAnswer opens the account of a unary call.
func (l *Limits) openAnswer(info *callinfo.Info, req any, evict func()) (*answerAccount, error) {
	a := &answerAccount{limits: l, call: accountedCall{caller: info.CallerID, weight: l.weight(info), end: evict}, expected: expectedOf(req)}
	if a.Account = l.bytes.admitCall(&a.call, a.expected); a.Account == nil {
		return nil, l.refuseBytes()
	}
	return a, nil
}

// countAnswer counts the bytes of the answer instead of the expected ones, and has its rendered form counted too. It fails where the answer
// leaves no room.
func (a *answerAccount) countAnswer(answer any, request *callinfo.HTTPRequest) error {
	a.Add(bytesOf(answer) - a.expected)
	if !a.limits.bytes.ensureRoom(&a.call) {
		return a.limits.refuseBytes()
	}
	if request != nil {
		request.CountIn(a.Account)
	}
	return nil
}

// close gives all bytes back.
func (a *answerAccount) close() {
	a.Add(-a.Held())
	a.limits.bytes.leave(a.Account)
}

// openReadAhead opens the account of the data that a stream reads ahead.
func (l *Limits) openReadAhead(ctx context.Context, info *callinfo.Info, evict func()) (*ledger.Account, error) {
	account := l.bytes.admitStream(ctx, &accountedCall{caller: info.CallerID, weight: l.weight(info), end: evict})
	if account == nil {
		l.Shed(metrics.ShedBytes)
		return nil, overloaded("the streams under way may still take all memory that there is for reading ahead")
	}
	return account, nil
}

// refuseBytes refuses a call where its caller's own answers, or without shares those of all callers, leave no memory for more.
func (l *Limits) refuseBytes() error {
	l.Shed(metrics.ShedBytes)
	return overloaded("calls and answers that nobody has read yet hold all memory that there is for them, or this caller's part of it")
}

// What a row, and an answer that is no list, take while they are made.
const (
	rowBytes   = 3 << 10 // a List takes 3 MiB at most, and has 1000 rows at most
	otherBytes = 64 << 10
)

// expectedOf is the number of bytes that the answer to a request is expected to take.
func expectedOf(req any) int64 {
	paged, ok := req.(interface{ GetPageSize() int32 })
	if !ok {
		return otherBytes
	}
	const usual, most = 50, 1000
	return int64(min(max(cmp.Or(int(paged.GetPageSize()), usual), 1), most)) * rowBytes
}

// bytesOf is the number of bytes of an answer over gRPC.
func bytesOf(answer any) int64 {
	switch m := answer.(type) {
	case *timeline.Page:
		return int64(len(m.Events) + proto.Size(m.Message))
	case proto.Message:
		return int64(proto.Size(m))
	}
	return 0
}
