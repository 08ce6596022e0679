package frame

import parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

// notices are those of one stream. They go out as soon as there is something to say, but not before begin: the first frame
// commits the call to the status OK, and every source may still fail before it delivers anything.
type notices struct {
	all  []*parleyv1.Notice
	held []*parleyv1.Notice // not sent yet
	open bool               // a frame that is no notice was due
	send func(*parleyv1.Notice) error
}

// tell takes in what is new.
func (n *notices) tell(news []*parleyv1.Notice) error {
	n.all = append(n.all, news...)
	n.held = append(n.held, news...)
	if !n.open {
		return nil
	}
	return n.begin()
}

// begin sends what was held back; a batch, checkpoint or summary follows.
func (n *notices) begin() error {
	n.open = true
	for len(n.held) > 0 {
		next := n.held[0]
		n.held = n.held[1:]
		if err := n.send(next); err != nil {
			return err
		}
	}
	return nil
}
