package ratelimit

import (
	"slices"
)

// fairQueue holds waiters and hands them out in turns: the callers in a circle, each caller's own in the order of arrival.
type fairQueue struct {
	callers []string // whose turn it is comes first
	waiting map[string][]*waiter
	size    int
}

// ahead is how many others are served before a newcomer of this caller, if nobody else comes.
func (q *fairQueue) ahead(caller string) int {
	own, n := len(q.waiting[caller]), 0
	for _, other := range q.callers {
		n += min(len(q.waiting[other]), own+1)
	}
	return min(n, q.size)
}

func (q *fairQueue) push(w *waiter) {
	if q.waiting == nil {
		q.waiting = make(map[string][]*waiter)
	}
	if len(q.waiting[w.caller]) == 0 {
		q.callers = append(q.callers, w.caller)
	}
	q.waiting[w.caller] = append(q.waiting[w.caller], w)
	q.size++
}

// pop takes the next waiter; the queue is not empty. Its caller goes to the end of the circle.
func (q *fairQueue) pop() *waiter {
	caller := q.callers[0]
	w := q.waiting[caller][0]
	q.callers = append(q.callers[:0], q.callers[1:]...)
	if rest := q.waiting[caller][1:]; len(rest) > 0 {
		q.waiting[caller] = rest
		q.callers = append(q.callers, caller)
	} else {
		delete(q.waiting, caller)
	}
	q.size--
	return w
}

// remove takes out the waiters that match.
func (q *fairQueue) remove(match func(*waiter) bool) {
	for caller, own := range q.waiting {
		kept := slices.DeleteFunc(own, match)
		q.size -= len(own) - len(kept)
		if len(kept) > 0 {
			q.waiting[caller] = kept
			continue
		}
		delete(q.waiting, caller)
		q.callers = slices.DeleteFunc(q.callers, func(c string) bool { return c == caller })
	}
}
