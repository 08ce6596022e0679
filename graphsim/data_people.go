package graphsim

import (
	"fmt"
	"strconv"
	"strings"
)

// ref names anybody who can speak or be spoken to: a kind and an index.
type ref uint32

const (
	kindUser ref = iota << 28
	kindFederated
	kindAnonymous
	kindBot
	kindPhone
	kindPersonal
	kindMask ref = 0xf << 28
)

func (r ref) kind() ref  { return r & kindMask }
func (r ref) index() int { return int(r &^ kindMask) }

var firstNames = [...]string{
	"Mara", "Jonas", "Ines", "Tomas", "Priya", "Noah", "Leila", "Oskar", "Yuki", "Elif",
	"Marta", "Samuel", "Amara", "Viktor", "Chloe", "Rafael", "Hanna", "Dmitri", "Zoe", "Arjun",
	"Freya", "Luca", "Nadia", "Emil", "Sofia", "Kofi", "Greta", "Mateo", "Ayla", "Henrik",
	"Thandi", "Paul", "Ingrid", "Omar", "Clara", "Felix", "Renata", "Björn", "Alice", "Daniel",
}

var lastNames = [...]string{
	"Lindqvist", "Okafor", "Brandt", "Moreau", "Tanaka", "Novak", "Haddad", "Silva", "Keller", "Petrov",
	"Osei", "Larsen", "Rossi", "Duarte", "Fischer", "Yilmaz", "Ahmed", "Castillo", "Nowak", "Singh",
	"Walsh", "Bauer", "Ivanova", "Mensah", "Costa", "Janssen", "Virtanen", "Kim", "O'Neill", "Weber",
	"Dahl", "Ferrari", "Horvat", "Lopez", "Marin", "Schmid", "Toth", "Ueda", "Vargas", "Zielinska",
}

type bot struct{ name, kind string }

var bots = [...]bot{
	{"Ticket Desk", "bot"},
	{"Build Watch", "bot"},
	{"Lunch Poll", "tenantBot"},
	{"Release Notes", "office365Connector"},
	{"Stock Levels", "outgoingWebhook"},
	{"Travel Helper", "aadApplication"},
}

// partnerTenants are the directories of federated people.
var partnerTenants = [...]guid{randomGUID(0xa11), randomGUID(0xa12), randomGUID(0xa13)}

type people struct {
	seed   uint64
	users  int
	domain string
	tenant string
}

// guests are the directory's last two accounts: people of other organizations with an account here.
func (p *people) isGuest(i int) bool { return p.users >= 20 && i >= p.users-2 }

func (p *people) id(r ref) string {
	switch r.kind() {
	case kindUser:
		return packGUID(p.seed, tagUser<<52|uint64(r.index())).String()
	case kindPhone:
		return fmt.Sprintf("+4930555%05d", r.index()%100_000)
	case kindPersonal:
		return "live:.cid." + randomGUID(hash3(p.seed, tagExternal, uint64(r))).hex()[:16]
	default:
		return randomGUID(hash3(p.seed, tagExternal, uint64(r))).String()
	}
}

func (p *people) name(r ref) string {
	i := r.index()
	switch r.kind() {
	case kindBot:
		return bots[i%len(bots)].name
	case kindPhone:
		return ""
	case kindAnonymous:
		return firstNames[(i*7+3)%len(firstNames)] + " (Guest)"
	case kindFederated, kindPersonal:
		i = i*11 + 5
	default:
	}
	f, l := i%len(firstNames), (i/len(firstNames)+i)%len(lastNames)
	return firstNames[f] + " " + lastNames[l]
}

func asciiName(s string) string {
	return strings.NewReplacer("ö", "o", "'", "", " ", ".").Replace(strings.ToLower(s))
}

// upn is the user principal name; people beyond the directory have none.
func (p *people) upn(r ref) string {
	if r.kind() != kindUser {
		return ""
	}
	name := asciiName(p.name(r))
	if n := r.index() / (len(firstNames) * len(lastNames)); n > 0 {
		name += strconv.Itoa(n + 1)
	}
	if p.isGuest(r.index()) {
		return name + "_partner.example#EXT#@" + p.domain
	}
	return name + "@" + p.domain
}

func (p *people) mail(r ref) string {
	upn := p.upn(r)
	if user, _, ok := strings.Cut(upn, "_partner.example#EXT#"); ok {
		return user + "@partner.example"
	}
	return upn
}

// find resolves an object id or a user principal name, compared without case.
func (p *people) find(s string) (ref, bool) {
	if g, ok := parseGUID(s); ok {
		v, ok := unpackGUID(p.seed, g)
		if i := v & (maxIndex - 1); ok && v>>52 == tagUser && int(i) < p.users && len(s) == 36 {
			return ref(i), true
		}
		return 0, false
	}
	if !strings.Contains(s, "@") {
		return 0, false
	}
	for i := range p.users {
		// Names repeat only after every pair was used, so the first letters sort out nearly all.
		if f := firstNames[i%len(firstNames)]; s != "" && strings.EqualFold(f[:1], s[:1]) && strings.EqualFold(p.upn(ref(i)), s) {
			return ref(i), true
		}
	}
	return 0, false
}

func (p *people) tenantOf(r ref) string {
	if r.kind() == kindFederated {
		return partnerTenants[r.index()%len(partnerTenants)].String()
	}
	return p.tenant
}

func identityType(r ref) string {
	switch r.kind() {
	case kindFederated:
		return "federatedUser"
	case kindAnonymous:
		return "anonymousGuest"
	case kindPhone:
		return "phoneUser"
	case kindPersonal:
		return "personalMicrosoftAccountUser"
	default:
		return "aadUser"
	}
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// teamsIdentity is the value of user or application in a chat message's identity set.
func (p *people) teamsIdentity(r ref, withName bool) object {
	name := orNull(p.name(r))
	if !withName || (r.kind() == kindFederated && r.index()%3 == 0) {
		name = nil
	}
	if r.kind() == kindBot {
		return object{
			{"@odata.type", "#microsoft.graph.teamworkApplicationIdentity"},
			{"id", p.id(r)},
			{"displayName", name},
			{"applicationIdentityType", bots[r.index()%len(bots)].kind},
		}
	}
	o := object{
		{"@odata.type", "#microsoft.graph.teamworkUserIdentity"},
		{"id", p.id(r)},
		{"displayName", name},
		{"userIdentityType", identityType(r)},
	}
	if k := r.kind(); k == kindUser || k == kindFederated {
		o = append(o, field{"tenantId", p.tenantOf(r)})
	}
	return o
}

// teamsSet is a chat message's from, or the initiator of a system event.
func (p *people) teamsSet(r ref, withName bool) object {
	o := object{{"application", nil}, {"device", nil}, {"user", nil}}
	if r.kind() == kindBot {
		o.set("application", p.teamsIdentity(r, withName))
	} else {
		o.set("user", p.teamsIdentity(r, withName))
	}
	return o
}
