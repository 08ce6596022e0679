package graphclient_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/auth"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
)

// A client of the real Microsoft Graph needs a credential: here that of whoever is logged in to the Azure CLI. Nothing is sent
// before the first request.
func ExampleNew() {
	const tenant = "9f4d7a1c-8f0e-4f43-a1ad-1e0d7b3a5c21"
	credential, err := auth.NewCredential(auth.CredentialConfig{Kind: auth.CredentialAzureCLI, TenantID: tenant})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := graphclient.New(graphclient.Config{TenantID: tenant, Credential: credential})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	fmt.Println("ready")
	// Output: ready
}

// A collection is read page by page: each page links to the next one.
func ExampleClient_Page() {
	var address string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("$skiptoken") == "" {
			fmt.Fprintf(w, `{"value":[{"topic":"Budget"},{"topic":"Harvest"}],"@odata.nextLink":"%s/v1.0/chats?$skiptoken=2"}`, address)
			return
		}
		fmt.Fprint(w, `{"value":[{"topic":"Winter"}]}`)
	}))
	defer server.Close()
	address = server.URL

	client, err := graphclient.New(graphclient.Config{BaseURL: server.URL}) // without a credential: on loopback only
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	request := graph.Request{API: graph.APIConversations, Path: "/users/" + graph.Escape("megan@contoso.example") + "/chats"}
	for {
		page, err := client.Page(context.Background(), request)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, record := range page.Records {
			fmt.Println(string(record))
		}
		if page.NextLink == "" {
			return
		}
		request.Link = page.NextLink
	}
	// Output:
	// {"topic":"Budget"}
	// {"topic":"Harvest"}
	// {"topic":"Winter"}
}

// Every failure is a *graph.Error. Its Kind says what to do, and its text is safe to log.
func ExampleClient_Object() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("request-id", "5d7f1c1e")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"error":{"code":"Forbidden","message":"Missing role permissions on the request. API requires one of 'Chat.Read.All'."}}`)
	}))
	defer server.Close()

	client, err := graphclient.New(graphclient.Config{BaseURL: server.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	_, err = client.Object(context.Background(), graph.Request{API: graph.APIConversations, Path: "/chats/1"})
	if failure, ok := errors.AsType[*graph.Error](err); ok && failure.Kind == graph.KindForbidden {
		fmt.Println(failure)
		fmt.Println("needed:", failure.Roles)
	}
	// Output:
	// graph: permission missing (status 403, code Forbidden, request 5d7f1c1e)
	// needed: [Chat.Read.All]
}

// Requests of several callers take turns at each limit of Graph, and each caller may be given a number of requests a day.
func ExampleConfig_callers() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"value":[]}`) }))
	defer server.Close()

	client, err := graphclient.New(graphclient.Config{
		BaseURL: server.URL, CallerDay: 1,
		Limits: ratelimit.LimitTable{{API: graph.APIChat, Limits: []ratelimit.Limit{{Scope: ratelimit.PerTenant, Requests: 100, Per: time.Second}}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	for _, caller := range []string{"reports", "archive", "reports"} {
		ctx := ratelimit.WithCaller(context.Background(), caller)
		_, err := client.Page(ctx, graph.Request{API: graph.APIChat, Path: "/users/1/chats/getAllMessages"})
		failure, _ := errors.AsType[*graph.Error](err)
		fmt.Println(caller, failure != nil && failure.Kind == graph.KindCallerLimit)
	}
	// Output:
	// reports false
	// archive false
	// reports true
}
