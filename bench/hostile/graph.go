package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphsim"
)

// graph is everything that a gateway needs around it: an issuer of tokens, a Graph whose users have mail, and files.
type graph struct {
	issuer *graphsim.Sim
	mail   *httptest.Server
	dir    string
	tokens []string // of the hostile one, and of the others
}

const (
	honestCallers = 10
	day           = 24 * time.Hour
)

func startGraph(ctx context.Context) (*graph, error) {
	dir, err := os.MkdirTemp("", "hostile")
	if err != nil {
		return nil, err
	}
	g := &graph{dir: dir}
	if g.issuer, err = graphsim.New(graphsim.Config{Users: 20}); err != nil {
		return nil, err
	}
	if err := g.issuer.Start(ctx); err != nil {
		return nil, err
	}
	hostile := ""
	for person := range g.issuer.Oracle(g.issuer.TenantID()).Users() {
		token, err := g.issuer.SignCaller(graphsim.CallerToken{User: person.ID})
		if err != nil {
			return nil, err
		}
		if g.tokens = append(g.tokens, token); hostile == "" {
			hostile = person.ID
		}
		if len(g.tokens) > honestCallers {
			break
		}
	}
	g.mail = httptest.NewServer(mailboxes{hostile})
	const policy = `rules:
  - name: own
    match: {kind: user}
    allow: {rpcs: [ListEvents, StreamEvents], sources: [chat], view: full, users: own}
`
	return g, errors.Join(os.WriteFile(g.file("ca"), g.issuer.CACertPEM(), 0o600), os.WriteFile(g.file("policy"), []byte(policy), 0o600))
}

func (g *graph) file(name string) string { return filepath.Join(g.dir, name) }

func (g *graph) token(i int) string { return g.tokens[i] }

func (g *graph) close() error {
	g.mail.CloseClientConnections()
	g.mail.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(g.issuer.Close(ctx), os.RemoveAll(g.dir))
}

// mailboxes is a Graph: everybody has twenty short messages a day; the hostile user has 250 of 28 KB, and what is from before 2020
// never comes to an end.
type mailboxes struct{ hostile string }

var bounds = regexp.MustCompile(`lastModifiedDateTime (gt|ge|lt|le) ([^ ]+)`)

// ServeHTTP answers getAllMessages.
func (m mailboxes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/chats/getAllMessages") {
		http.NotFound(w, r)
		return
	}
	var from, to time.Time
	for _, bound := range bounds.FindAllStringSubmatch(r.URL.Query().Get("$filter"), -1) {
		at, err := time.Parse(time.RFC3339Nano, bound[2])
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		case bound[1][0] == 'g':
			from = at
		default:
			to = at
		}
	}
	if !to.IsZero() && to.Year() < 2020 {
		endless(w, r)
		return
	}
	step, size := day/20, 200
	if strings.Contains(r.URL.Path, m.hostile) {
		step, size = day/250, 28_000
	}
	if oldest := time.Now().Add(-600 * day); from.Before(oldest) {
		from = oldest
	}
	if now := time.Now(); to.IsZero() || to.After(now) {
		to = now
	}
	skip, _ := strconv.Atoi(r.URL.Query().Get("$skiptoken"))
	m.page(w, r, from.Truncate(step).Add(step), to, step, size, skip)
}

// endless writes an empty page with a link to the next one, after a while.
func endless(w http.ResponseWriter, r *http.Request) {
	pause(r.Context(), time.Minute)
	query := r.URL.Query()
	skip, _ := strconv.Atoi(query.Get("$skiptoken"))
	query.Set("$skiptoken", strconv.Itoa(skip+1))
	next := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawQuery: query.Encode()}
	link, err := json.Marshal(next.String())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"value":[],"@odata.nextLink":%s}`, link)
}

// page writes one page of messages on a grid of time.
func (mailboxes) page(w http.ResponseWriter, r *http.Request, first, to time.Time, step time.Duration, size, skip int) {
	const page = 50
	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriter(w)
	defer func() { _ = out.Flush() }() // the gateway is gone if this fails
	fmt.Fprint(out, `{"value":[`)
	text, user := strings.Repeat("words and ", size/10), strings.Split(r.URL.Path, "/")[3]
	n := 0
	for at := first.Add(time.Duration(skip) * step); n < page && at.Before(to); at = at.Add(step) {
		if n++; n > 1 {
			fmt.Fprint(out, ",")
		}
		stamp := at.UTC().Format("2006-01-02T15:04:05.000Z")
		fmt.Fprintf(out, `{"id":"%d","etag":"%d","messageType":"message","createdDateTime":%q,"lastModifiedDateTime":%q,"chatId":"19:%s@thread.v2",`+
			`"importance":"normal","locale":"en-us","from":{"user":{"id":%q,"displayName":"Ada","userIdentityType":"aadUser"}},`+
			`"body":{"contentType":"text","content":%q},"attachments":[],"mentions":[],"reactions":[]}`,
			at.UnixMilli(), at.UnixMilli(), stamp, stamp, user, user, text)
	}
	fmt.Fprint(out, `]`)
	if first.Add(time.Duration(skip+n) * step).Before(to) {
		query := r.URL.Query()
		query.Set("$skiptoken", strconv.Itoa(skip+n))
		next := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawQuery: query.Encode()}
		if link, err := json.Marshal(next.String()); err == nil {
			fmt.Fprintf(out, `,"@odata.nextLink":%s`, link)
		}
	}
	fmt.Fprint(out, `}`)
}
