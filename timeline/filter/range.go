package filter

import "time"

// Range returns the half-open piece of time in which a field of every match lies, as far as comparisons say that all
// matches must fulfil; a zero bound is open. Without any such comparison both are.
func (f *Filter) Range(path string) (from, to time.Time) {
	if f == nil {
		return from, to
	}
	f.root.required(func(n *node) {
		if n.path != path || n.field.kind != instant {
			return
		}
		at := n.value.time.UTC()
		switch n.op {
		case atLeast, greater, equal:
			first := at
			if n.op == greater {
				first = at.Add(1)
			}
			if from.IsZero() || first.After(from) {
				from = first
			}
		default:
		}
		switch n.op {
		case less, atMost, equal:
			end := at
			if n.op != less {
				end = at.Add(1)
			}
			if to.IsZero() || end.Before(to) {
				to = end
			}
		default:
		}
	})
	return from, to
}

// required visits the comparisons that every match must fulfil.
func (n *node) required(visit func(*node)) {
	switch n.join {
	case "":
		visit(n)
	case "and":
		for _, child := range n.children {
			child.required(visit)
		}
	default:
	}
}
