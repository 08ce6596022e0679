package merge

import (
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/window"
)

// notices collects the notices of a walk. Each notice is issued once, also across the calls of a walk.
type notices struct {
	pending []*parleyv1.Notice
	issued  map[string]bool
}

// add adds a notice that was not issued yet. A nil span is none.
func (n *notices) add(code, message string, src parleyv1.Source, s *window.Span) {
	if !n.markIssued(code, src, s) {
		return
	}
	notice := &parleyv1.Notice{Code: code, Message: message, Source: src}
	if s != nil {
		notice.Interval = interval(*s)
	}
	n.pending = append(n.pending, notice)
}

// markIssued marks a notice as issued, and reports whether it was new.
func (n *notices) markIssued(code string, src parleyv1.Source, s *window.Span) bool {
	key := fmt.Sprint(code, src)
	if s != nil {
		key = fmt.Sprint(code, src, s.Start.UnixNano(), s.End.UnixNano())
	}
	if n.issued[key] {
		return false
	}
	if n.issued == nil {
		n.issued = map[string]bool{}
	}
	n.issued[key] = true
	return true
}

// take returns the notices that were added since the last call.
func (n *notices) take() []*parleyv1.Notice {
	news := n.pending
	n.pending = nil
	return news
}

// interval turns a span into the contract's form; zero ends are absent.
func interval(s window.Span) *parleyv1.Interval {
	i := &parleyv1.Interval{}
	if !s.Start.IsZero() {
		i.StartTime = timestamppb.New(s.Start)
	}
	if !s.End.IsZero() {
		i.EndTime = timestamppb.New(s.End)
	}
	return i
}
