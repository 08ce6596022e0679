package data

import (
	"fmt"
	"strconv"
	"strings"
)

// Ref names anybody who can speak or be spoken to: a kind and an index.
type Ref uint32

const (
	kindUser Ref = iota << 28
	kindFederated
	kindAnonymous
	// KindBot is an application that speaks in chats.
	KindBot
	kindPhone
	kindPersonal
	kindMask Ref = 0xf << 28
)

// Kind returns the kind alone.
func (r Ref) Kind() Ref { return r & kindMask }

// Index returns the index alone.
func (r Ref) Index() int { return int(r &^ kindMask) }

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

type bot struct{ name, Kind string }

// Bots are the applications that speak in chats.
var Bots = [...]bot{
	{"Ticket Desk", "bot"},
	{"Build Watch", "bot"},
	{"Lunch Poll", "tenantBot"},
	{"Release Notes", "office365Connector"},
	{"Stock Levels", "outgoingWebhook"},
	{"Travel Helper", "aadApplication"},
}

// partnerTenants are the directories of federated people.
var partnerTenants = [...]GUID{RandomGUID(0xa11), RandomGUID(0xa12), RandomGUID(0xa13)}

// People is the directory of a tenant, and everybody else whom its people know.
type People struct {
	seed   uint64
	users  int
	domain string
	tenant string
}

// IsGuest reports whether a user of the directory is a guest. Guests are its last two accounts: people of other organizations with an
// account here.
func (p *People) IsGuest(i int) bool { return p.users >= 20 && i >= p.users-2 }

// ID returns the object id, or what stands for it.
func (p *People) ID(r Ref) string {
	switch r.Kind() {
	case kindUser:
		return packGUID(p.seed, tagUser<<52|uint64(r.Index())).String()
	case kindPhone:
		return fmt.Sprintf("+4930555%05d", r.Index()%100_000)
	case kindPersonal:
		return "live:.cid." + RandomGUID(Hash3(p.seed, tagExternal, uint64(r))).Hex()[:16]
	default:
		return RandomGUID(Hash3(p.seed, tagExternal, uint64(r))).String()
	}
}

// Name returns the display name; empty where the service knows none.
func (p *People) Name(r Ref) string {
	i := r.Index()
	switch r.Kind() {
	case KindBot:
		return Bots[i%len(Bots)].name
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

var departments = [...]string{"Engineering", "Sales", "Finance", "Operations", "Legal", "Research"}

var jobTitles = [...]string{"Engineer", "Account Manager", "Analyst", "Coordinator", "Counsel", "Scientist"}

var countries = [...]string{"Germany", "Sweden", "Portugal", "Japan"}

// Department returns the department of a user of the directory; guests and every ninth user have none.
func (p *People) Department(r Ref) string {
	if p.IsGuest(r.Index()) || r.Index()%9 == 8 {
		return ""
	}
	return departments[r.Index()%len(departments)]
}

// JobTitle returns the title of a user's job; who has no department has none.
func (p *People) JobTitle(r Ref) string {
	if p.Department(r) == "" {
		return ""
	}
	return jobTitles[r.Index()%len(jobTitles)]
}

// Country returns the country of a user; guests have none.
func (p *People) Country(r Ref) string {
	if p.IsGuest(r.Index()) {
		return ""
	}
	return countries[r.Index()/len(departments)%len(countries)]
}

// Enabled reports whether a user may sign in: every eleventh account is disabled, never the first.
func (p *People) Enabled(r Ref) bool { return r.Index()%11 != 10 }

func asciiName(s string) string {
	return strings.NewReplacer("ö", "o", "'", "", " ", ".").Replace(strings.ToLower(s))
}

// UPN is the user principal name; people beyond the directory have none.
func (p *People) UPN(r Ref) string {
	if r.Kind() != kindUser {
		return ""
	}
	name := asciiName(p.Name(r))
	if n := r.Index() / (len(firstNames) * len(lastNames)); n > 0 {
		name += strconv.Itoa(n + 1)
	}
	if p.IsGuest(r.Index()) {
		return name + "_partner.example#EXT#@" + p.domain
	}
	return name + "@" + p.domain
}

// Mail returns the mail address; empty where there is none.
func (p *People) Mail(r Ref) string {
	upn := p.UPN(r)
	if user, _, ok := strings.Cut(upn, "_partner.example#EXT#"); ok {
		return user + "@partner.example"
	}
	return upn
}

// Find resolves an object id or a user principal name, compared without case.
func (p *People) Find(s string) (Ref, bool) {
	if g, ok := parseGUID(s); ok {
		v, ok := unpackGUID(p.seed, g)
		if i := v & (MaxIndex - 1); ok && v>>52 == tagUser && int(i) < p.users && len(s) == 36 {
			return Ref(i), true
		}
		return 0, false
	}
	if !strings.Contains(s, "@") {
		return 0, false
	}
	for i := range p.users {
		// Names repeat only after every pair was used, so the first letters sort out nearly all.
		if f := firstNames[i%len(firstNames)]; s != "" && strings.EqualFold(f[:1], s[:1]) && strings.EqualFold(p.UPN(Ref(i)), s) {
			return Ref(i), true
		}
	}
	return 0, false
}

func (p *People) tenantOf(r Ref) string {
	if r.Kind() == kindFederated {
		return partnerTenants[r.Index()%len(partnerTenants)].String()
	}
	return p.tenant
}

// IdentityType returns the userIdentityType that Teams gives for a kind of people.
func IdentityType(r Ref) string {
	switch r.Kind() {
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

// naming says whether an identity has its display name.
type naming bool

const (
	withName    naming = true
	withoutName naming = false
)

// teamsIdentity is the value of user or application in a chat message's identity set.
func (p *People) teamsIdentity(r Ref, n naming) Object {
	name := orNull(p.Name(r))
	if n == withoutName || (r.Kind() == kindFederated && r.Index()%3 == 0) {
		name = nil
	}
	if r.Kind() == KindBot {
		return Object{
			{"@odata.type", "#microsoft.graph.teamworkApplicationIdentity"},
			{"id", p.ID(r)},
			{"displayName", name},
			{"applicationIdentityType", Bots[r.Index()%len(Bots)].Kind},
		}
	}
	o := Object{
		{"@odata.type", "#microsoft.graph.teamworkUserIdentity"},
		{"id", p.ID(r)},
		{"displayName", name},
		{"userIdentityType", IdentityType(r)},
	}
	if k := r.Kind(); k == kindUser || k == kindFederated {
		o = append(o, Field{"tenantId", p.tenantOf(r)})
	}
	return o
}

// teamsSet is a chat message's from, or the initiator of a system event.
func (p *People) teamsSet(r Ref, n naming) Object {
	o := Object{{"application", nil}, {"device", nil}, {"user", nil}}
	if r.Kind() == KindBot {
		o.Set("application", p.teamsIdentity(r, n))
	} else {
		o.Set("user", p.teamsIdentity(r, n))
	}
	return o
}
