package graphclient_test

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
)

func TestOnlyLinksOfTheSameOriginAreFollowed(t *testing.T) {
	t.Parallel()
	client := newClient(t, graphclient.Config{Credential: &tokens{}})
	allowed := []string{
		"https://graph.microsoft.com/v1.0/users?$skiptoken=a",
		"https://graph.microsoft.com:443/v1.0/users",
		"HTTPS://Graph.Microsoft.COM/v1.0/users",
		"https://graph.microsoft.com/beta/users('a')/chats/getallMessages?$skiptoken=a%3d%3d",
		"https://graph.microsoft.com/v1.0/users?$skiptoken=MailFolders/TeamChat#UserId=1",
		"https://graph.microsoft.com/v1.0/users?u=https://evil.example/@x",
	}
	for _, link := range allowed {
		if err := client.SameOrigin(link); err != nil {
			t.Errorf("%s: %v", link, err)
		}
	}
	refused := []string{
		"",
		"/v1.0/users",
		"//graph.microsoft.com/v1.0/users",
		"http://graph.microsoft.com/v1.0/users",
		"ftp://graph.microsoft.com/v1.0/users",
		"https://graph.microsoft.us/v1.0/users",
		"https://graph.microsoft.com:8443/v1.0/users",
		"https://graph.microsoft.com.evil.example/v1.0/users",
		"https://graph.microsoft.com./v1.0/users",
		"https://evil.graph.microsoft.com/v1.0/users",
		"https://graph.microsoft.com@evil.example/v1.0/users",
		"https://user:pw@graph.microsoft.com/v1.0/users",
		"https://evil.example/https://graph.microsoft.com/v1.0/users",
		"https://evil.example#@graph.microsoft.com/v1.0/users",
		"https://graph.microsoft.com#/v1.0/users",
		"https://graph.microsoft.com?/v1.0/users",
		"https://graph.microsoft.com",
		`https://graph.microsoft.com\@evil.example/v1.0/users`,
		`https://evil.example\.graph.microsoft.com/v1.0/users`,
		`https://graph.microsoft.com/v1.0\users`,
		"https://graph.microsoft.com//evil.example/users",
		"https://graph.microsoft.com/v1.0/$metadata#communications/callRecords('1')/sessions?$skiptoken=abc",
		"https://graph%2emicrosoft.com/v1.0/users",
		"https://graph.microsoft.com%00.evil.example/v1.0/users",
		"https://graph.microsoft.com/v1.0/users\r\nHost: evil.example",
		" https://graph.microsoft.com/v1.0/users",
		"https://graph.microsoft.com /v1.0/users",
		"https://gräph.microsoft.com/v1.0/users",
		"https://[::1/v1.0/users",
		"https://graph.microsoft.com:x/v1.0/users",
		"https://graph.microsoft.com/" + strings.Repeat("a", 64<<10),
	}
	for _, link := range refused {
		e := wantError(t, client.SameOrigin(link), graph.KindLinkRefused)
		if strings.Contains(e.Error(), "evil") || strings.Contains(e.Error(), "://") {
			t.Errorf("the error tells the link: %v", e)
		}
	}
}

func TestRefusedLinkSendsNothing(t *testing.T) {
	t.Parallel()
	var sent atomic.Int32
	credential := &tokens{}
	client := fakeClient(t, func(*http.Request) (*http.Response, error) {
		sent.Add(1)
		return answer(200, emptyPage), nil
	}, withCredential(credential))
	request := graph.Request{API: graph.APIChat, Link: "https://evil.example/v1.0/users"}
	_, err := client.Page(t.Context(), request)
	_ = wantError(t, err, graph.KindLinkRefused)
	_, err = client.Object(t.Context(), request)
	_ = wantError(t, err, graph.KindLinkRefused)
	_, err = client.Download(t.Context(), request)
	_ = wantError(t, err, graph.KindLinkRefused)
	if sent.Load() != 0 || credential.count() != 0 {
		t.Errorf("%d requests, %d logins", sent.Load(), credential.count())
	}
}

// rawServer answers every request with an empty page and hands out its
// request line as it came.
func rawServer(t *testing.T) (address string, lines <-chan string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	received := make(chan string, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			r := bufio.NewReader(conn)
			line, _ := r.ReadString('\n')
			for {
				header, err := r.ReadString('\n')
				if err != nil || header == "\r\n" {
					break
				}
			}
			received <- strings.TrimRight(line, "\r\n")
			_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n" + emptyPage))
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return listener.Addr().String(), received
}

// rest holds link tails and what must stand on the wire; "" = the same bytes.
var rest = []struct{ sent, want string }{
	{"/v1.0/users('8b08')/chats/getallMessages?$top=2&$skiptoken=U2tpcFZhbHVlPTI%3d", ""},
	{"/v1.0/users?$skiptoken=a+b%2bc%2Bd%3d%3D%23e%2fF", ""},
	{"/v1.0/users('id')/x(period='D7')?a='b''c'&d=(e)&f=*!,;:@$~", ""},
	{"/v1.0/chats/19:abc@thread.v2/messages?$filter=a%20gt%20b&x=%zz", ""},
	{"/v1.0/chats/19%3aabc%40thread.v2/messages", ""},
	{"/v1.0/a%2Fb/../c//d/./e", ""},
	{"/v1.0/users?", ""},
	{"/v1.0/users?a=b?c=d&e={\"f\":[1]}|^`<>", ""},
	{"/v1.0/users?$skiptoken=SkipValue=0#UserId=1#Folder=x", "/v1.0/users?$skiptoken=SkipValue=0%23UserId=1%23Folder=x"},
	{"/v1.0/users?$filter=name eq 'é'", "/v1.0/users?$filter=name%20eq%20'%C3%A9'"},
}

func TestLinkOnTheWireHTTP1(t *testing.T) {
	t.Parallel()
	address, lines := rawServer(t)
	client := newClient(t, graphclient.Config{BaseURL: "http://" + address})
	for _, c := range rest {
		want := c.want
		if want == "" {
			want = c.sent
		}
		if _, err := client.Page(t.Context(), graph.Request{API: "users", Link: "http://" + address + c.sent}); err != nil {
			t.Fatalf("%s: %v", c.sent, err)
		}
		if got := <-lines; got != "GET "+want+" HTTP/1.1" {
			t.Errorf("got  %s\nwant GET %s HTTP/1.1", got, want)
		}
	}
}

func TestLinkOnTheWireHTTP2(t *testing.T) {
	t.Parallel()
	var got atomic.Value
	server := tlsServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Store(r.Proto + " " + r.RequestURI)
		_, _ = w.Write([]byte(emptyPage))
	}))
	client := serverClient(t, server)
	for _, c := range rest {
		want := c.want
		if want == "" {
			want = c.sent
		}
		if strings.Contains(c.sent, "%zz") {
			continue // net/http's own server refuses it; HTTP/1 shows the bytes
		}
		if _, err := client.Page(t.Context(), graph.Request{API: "users", Link: server.URL + c.sent}); err != nil {
			t.Fatalf("%s: %v", c.sent, err)
		}
		if got.Load() != "HTTP/2.0 "+want {
			t.Errorf("got  %s\nwant HTTP/2.0 %s", got.Load(), want)
		}
	}
}

func TestRequestOnTheWire(t *testing.T) {
	t.Parallel()
	address, lines := rawServer(t)
	client := newClient(t, graphclient.Config{BaseURL: "http://" + address})
	request := graph.Request{
		API: "chat", Version: graph.Beta,
		Path:  "/users/" + graph.Escape("a@b.example") + "/chats/" + graph.Escape("19:a_b/c+d%@thread.v2") + "/messages",
		Query: []graph.Param{{Name: "$top", Value: "50"}, {Name: "$filter", Value: "a gt 2026-01-01T00:00:00Z and n eq 'Ünal & söhne+1'"}, {Name: "@version", Value: "'v2'"}},
	}
	if _, err := client.Page(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	const want = "GET /beta/users/a%40b.example/chats/19%3Aa_b%2Fc%2Bd%25%40thread.v2/messages?$top=50" +
		"&$filter=a%20gt%202026-01-01T00%3A00%3A00Z%20and%20n%20eq%20%27%C3%9Cnal%20%26%20s%C3%B6hne%2B1%27&@version=%27v2%27 HTTP/1.1"
	if got := <-lines; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRequestThatCannotBeBuilt(t *testing.T) {
	t.Parallel()
	client := fakeClient(t, func(*http.Request) (*http.Response, error) {
		t.Error("something was sent")
		return answer(200, emptyPage), nil
	})
	for _, request := range []graph.Request{
		{},
		{Path: "users"},
		{Path: "/users?x=1"},
		{Path: "/users#x"},
		{Path: "/us ers"},
		{Path: "/users\r\n"},
		{Path: "/usérs"},
		{Path: "/users", Version: "v2"},
		{Path: "/users", Query: []graph.Param{{Name: "a&b", Value: "1"}}},
		{Path: "/users", Query: []graph.Param{{Name: "", Value: "1"}}},
	} {
		_, err := client.Page(t.Context(), request)
		_ = wantError(t, err, graph.KindUnexpected)
	}
}

func TestASegmentIsEscapedWhole(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                 "",
		"AZaz09-._~":       "AZaz09-._~",
		"19:a@thread.v2":   "19%3Aa%40thread.v2",
		"a/b\\c?d#e%f+g h": "a%2Fb%5Cc%3Fd%23e%25f%2Bg%20h",
		".":                "%2E",
		"..":               "%2E%2E",
		"...":              "...",
		"é":                "%C3%A9",
		"\x00\xff":         "%00%FF",
	} {
		if got := graph.Escape(in); got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
	}
}
