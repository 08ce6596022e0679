package graphclient_test

import (
	"crypto/x509"
	"net/http"
	"strings"
	"testing"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
)

func TestACloudIsFoundByItsNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"": "https://graph.microsoft.com", "global": "https://graph.microsoft.com", "GCC": "https://graph.microsoft.com",
		"us-l4": "https://graph.microsoft.us", "gcc-high": "https://graph.microsoft.us",
		"us-l5": "https://dod-graph.microsoft.us", "DoD": "https://dod-graph.microsoft.us",
		"china": "https://microsoftgraph.chinacloudapi.cn", "21Vianet": "https://microsoftgraph.chinacloudapi.cn",
	} {
		cloud, err := graph.CloudByName(name)
		if err != nil || cloud.GraphURL != want || cloud.Scope() != want+"/.default" {
			t.Errorf("%q: %+v, %v", name, cloud, err)
		}
	}
	_, err := graph.CloudByName("germany")
	if err == nil || !strings.Contains(err.Error(), "Cloud") || !strings.Contains(err.Error(), "global, us-l4, us-l5, china") {
		t.Errorf("error %v", err)
	}
}

// The cloud alone decides scope, Graph's address and which links are followed.
func TestTheCloudDecidesScopeAddressAndLinks(t *testing.T) {
	t.Parallel()
	for _, cloud := range graph.Clouds() {
		credential := &tokens{}
		host := ""
		client := newClient(t, graphclient.Config{Cloud: cloud, Credential: credential, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			host = r.URL.Host
			return answer(200, emptyPage), nil
		})})
		if _, err := client.Page(t.Context(), chats()); err != nil {
			t.Fatal(err)
		}
		if "https://"+host != cloud.GraphURL || credential.options[0].Scopes[0] != cloud.Scope() {
			t.Errorf("%s: host %s, scopes %v", cloud.Name, host, credential.options[0].Scopes)
		}
		for _, other := range graph.Clouds() {
			err := client.SameOrigin(other.GraphURL + "/v1.0/x")
			if (err == nil) != (other.Name == cloud.Name) {
				t.Errorf("%s follows %s: %v", cloud.Name, other.Name, err)
			}
		}
	}
}

func TestErrorsOfAConfigNameTheField(t *testing.T) {
	t.Parallel()
	credential := &tokens{}
	for name, c := range map[string]struct {
		cfg  graphclient.Config
		want string
	}{
		"no credential":              {graphclient.Config{}, "Credential"},
		"no credential, elsewhere":   {graphclient.Config{BaseURL: "https://192.0.2.1"}, "Credential"},
		"token in clear text":        {graphclient.Config{BaseURL: "http://127.0.0.1:1", Credential: credential}, "BaseURL"},
		"with a version":             {graphclient.Config{BaseURL: "https://127.0.0.1/v1.0", Credential: credential}, "BaseURL"},
		"with a query":               {graphclient.Config{BaseURL: "https://127.0.0.1?x", Credential: credential}, "BaseURL"},
		"with a user":                {graphclient.Config{BaseURL: "https://a@127.0.0.1", Credential: credential}, "BaseURL"},
		"not a URL":                  {graphclient.Config{BaseURL: "graph", Credential: credential}, "BaseURL"},
		"report host everything":     {graphclient.Config{Credential: credential, ReportHosts: []string{"*"}}, "ReportHosts"},
		"report host a domain":       {graphclient.Config{Credential: credential, ReportHosts: []string{"*.com"}}, "ReportHosts"},
		"report host star in middle": {graphclient.Config{Credential: credential, ReportHosts: []string{"a.*.com"}}, "ReportHosts"},
		"report host a URL":          {graphclient.Config{Credential: credential, ReportHosts: []string{"https://a.b.com"}}, "ReportHosts"},
		"no share":                   {graphclient.Config{Credential: credential, Share: -0.1}, "Share"},
		"more than all":              {graphclient.Config{Credential: credential, Share: 1.1}, "Share"},
		"two transports":             {graphclient.Config{Credential: credential, HTTP: &http.Client{}, Transport: roundTripper(nil)}, "exclude"},
	} {
		if _, err := graphclient.New(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", name, err, c.want)
		}
	}
	for _, base := range []string{"http://127.0.0.1:1", "http://localhost:1/", "https://[::1]:8443", ""} {
		cfg := graphclient.Config{BaseURL: base}
		if base == "" {
			cfg.Credential = credential
		}
		newClient(t, cfg)
	}
}

func TestOwnTransportTrustsTheGivenRoots(t *testing.T) {
	t.Parallel()
	server := tlsServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("protocol %s", r.Proto)
		}
		_, _ = w.Write([]byte(emptyPage))
	}))
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	if _, err := newClient(t, graphclient.Config{BaseURL: server.URL, RootCAs: roots}).Page(t.Context(), chats()); err != nil {
		t.Error(err)
	}
	_, err := newClient(t, graphclient.Config{BaseURL: server.URL}).Page(t.Context(), chats())
	if e := wantError(t, err, graph.KindUnavailable); !strings.Contains(e.Error(), "certificate") {
		t.Error(e)
	}
}

// A redirect is no page, and the token does not travel.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		reached := false
		elsewhere := tlsServer(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
		server := tlsServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/again") {
				reached = true
			}
			location := elsewhere.URL
			if status == 302 {
				location = "/again" // the same host is no better
			}
			w.Header().Set("Location", location)
			w.WriteHeader(status)
		}))
		client := serverClient(t, server, withCredential(&tokens{}))
		_, err := client.Page(t.Context(), chats())
		if e := wantError(t, err, graph.KindUnexpected); e.Status != status || reached {
			t.Errorf("%d: %#v, followed: %v", status, e, reached)
		}
	}
}
