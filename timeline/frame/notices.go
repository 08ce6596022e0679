package frame

import parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

// notices holds the notices of one stream. The first frame commits the call to the status OK, and every source may still fail before it
// delivers anything. Notices are therefore held back until another frame is sent; after that they are sent at once.
type notices struct {
	all       []*parleyv1.Notice
	unsent    []*parleyv1.Notice
	committed bool // another frame than a notice is being sent or was sent
	send      func(*parleyv1.Notice) error
}

// add takes in new notices.
func (n *notices) add(news []*parleyv1.Notice) error {
	n.all = append(n.all, news...)
	n.unsent = append(n.unsent, news...)
	if !n.committed {
		return nil
	}
	return n.commit()
}

// commit sends the notices that were held back, before a batch, checkpoint or summary.
func (n *notices) commit() error {
	n.committed = true
	for len(n.unsent) > 0 {
		next := n.unsent[0]
		n.unsent = n.unsent[1:]
		if err := n.send(next); err != nil {
			return err
		}
	}
	return nil
}
