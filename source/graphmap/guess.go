package graphmap

// guess is a property that a record before had at this place.
type guess struct {
	plan *plan
	name string // as the record spells it
	prop *property
}

const (
	maxGuesses = 512 // properties of a record that are remembered
	maxSkipped = 4   // remembered properties that are looked through for each one
)

// property finds a property by its name: records of one source have theirs in one order, so it is often the one that stood
// there in the record before.
func (d *Draft) property(p *plan, name []byte) *property {
	for i := d.nextGuess; i < min(d.nextGuess+maxSkipped, len(d.guesses)); i++ {
		if g := &d.guesses[i]; g.plan == p && g.name == string(name) {
			d.nextGuess = i + 1
			return g.prop
		}
	}
	prop := p.lookup(name)
	if prop == nil || d.nextGuess >= maxGuesses {
		return prop
	}
	g := guess{plan: p, name: prop.name, prop: prop}
	if p.folded {
		g.name = d.intern(name)
	}
	if d.nextGuess < len(d.guesses) {
		d.guesses[d.nextGuess] = g
	} else {
		d.guesses = append(d.guesses, g)
	}
	d.nextGuess++
	return prop
}

// maxInterned bounds the names that a Draft remembers.
const maxInterned = 64

// intern returns the name of an undeclared property as a string, and remembers it: a few of them are in every record.
func (d *Draft) intern(raw []byte) string {
	if known, ok := d.interned[string(raw)]; ok {
		return known
	}
	name := string(raw)
	if len(d.interned) < maxInterned && len(name) <= maxInterned {
		if d.interned == nil {
			d.interned = map[string]string{}
		}
		d.interned[name] = name
	}
	return name
}
