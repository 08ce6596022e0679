package graphclient_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
)

func TestAnEnvelopeIsReadInAnyOrderAndSpelling(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		body    string
		records []string
		next    string
		context string
		count   int
	}{
		{"usual", `{"@odata.context":"c","@odata.count":2,"@odata.nextLink":"n","value":[{"id":"1"},{"id":"2"}]}`, []string{`{"id":"1"}`, `{"id":"2"}`}, "n", "c", 2},
		{"link behind the value", `{"value":[{"a":[{"value":[]}]}],"@odata.nextLink":"n"}`, []string{`{"a":[{"value":[]}]}`}, "n", "", -1},
		{"empty value with a link", `{"@odata.count":0,"value":[],"@odata.nextLink":"n"}`, nil, "n", "", 0},
		{"empty value", emptyPage, nil, "", "", -1},
		{"nulls", `{"@odata.context":null,"@odata.count":null,"value":null,"@odata.nextLink":null}`, nil, "", "", -1},
		{"null record", `{"value":[null,{"id":"1"},null]}`, []string{`{"id":"1"}`}, "", "", -1},
		{"null error", `{"error":null,"value":[{}]}`, []string{`{}`}, "", "", -1},
		{"duplicate keys", `{"value":[{"id":"1"}],"@odata.nextLink":"a","value":[{"id":"2","id":"3"}],"@odata.nextLink":"b"}`, []string{`{"id":"2","id":"3"}`}, "b", "", -1},
		{"invalid UTF-8", "{\"value\":[{\"t\":\"a\xff\xfeb\"}]}", []string{"{\"t\":\"a\xff\xfeb\"}"}, "", "", -1},
		{"lone surrogate", `{"value":[{"t":"\ud800 \udc00x"}]}`, []string{`{"t":"\ud800 \udc00x"}`}, "", "", -1},
		{"CRLF and a byte order mark", "\ufeff{\r\n  \"value\" : [\r\n {\r\n\"id\": \"1\"\r\n} ,\r\n {} ]\r\n}\r\n", []string{"{\r\n\"id\": \"1\"\r\n}", "{}"}, "", "", -1},
		{"escaped key and link", `{"\u0040odata.nextLink":"https:\/\/g\u002ex\/?a=\"1\"","value":[]}`, nil, `https://g.x/?a="1"`, "", -1},
		{"count as text", `{"@odata.count":"7","value":[]}`, nil, "", "", 7},
		{"count as nonsense", `{"@odata.count":{"a":1},"value":[]}`, nil, "", "", -1},
		{"NextLink", `{"value":[],"@odata.NextLink":"n"}`, nil, "n", "", -1},
		{"nextlink", `{"@odata.nextlink":"n","value":[{}]}`, []string{`{}`}, "n", "", -1},
		{"NEXTLINK", `{"@ODATA.NEXTLINK":"n","value":[]}`, nil, "n", "", -1},
		{"without odata", `{"@nextLink":"n","value":[]}`, nil, "n", "", -1},
		{"version 3", `{"odata.nextLink":"n","value":[]}`, nil, "n", "", -1},
		{"plain", `{"nextLink":"n","value":[]}`, nil, "n", "", -1},
		{"of the value", `{"value":[],"value@odata.nextLink":"n"}`, nil, "n", "", -1},
		{"one link in two spellings", `{"@odata.nextLink":"n","@odata.NextLink":"n","value":[]}`, nil, "n", "", -1},
		{"one of two is null", `{"@odata.nextLink":null,"@odata.nextlink":"n","value":[]}`, nil, "n", "", -1},
		{"a delta link is none", `{"@odata.deltaLink":"d","value":[]}`, nil, "", "", -1},
		{"a property of that ending is none", `{"hasNextLink":true,"value":[]}`, nil, "", "", -1},
		{"unknown members", `{"@odata.deltaLink":"d","x":{"value":[1]},"value":[{}],"y":[[]]}`, []string{`{}`}, "", "", -1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client := fakeClient(t, func(*http.Request) (*http.Response, error) {
				return answer(200, c.body, "request-id", "r1", "Date", "Sun, 22 Nov 2026 10:00:00 GMT"), nil
			})
			page, err := client.Page(t.Context(), chats())
			if err != nil {
				t.Fatal(err)
			}
			var records []string
			for _, r := range page.Records {
				records = append(records, string(r))
			}
			if diff := cmp.Diff(c.records, records); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if page.NextLink != c.next || page.Context != c.context || page.Count != c.count {
				t.Errorf("next %q context %q count %d", page.NextLink, page.Context, page.Count)
			}
			if page.RequestID != "r1" || page.Requests != 1 || page.Size == 0 || page.ServerDate.Format("15:04") != "10:00" {
				t.Errorf("request %q requests %d size %d date %v", page.RequestID, page.Requests, page.Size, page.ServerDate)
			}
		})
	}
}

func TestRecordsDoNotOverlap(t *testing.T) {
	t.Parallel()
	client := fakeClient(t, func(*http.Request) (*http.Response, error) { return answer(200, `{"value":[{"a":1},{"b":2}]}`), nil })
	page, err := client.Page(t.Context(), chats())
	if err != nil {
		t.Fatal(err)
	}
	_ = append(page.Records[0], "xxxxxxxxxx"...)
	if got := string(page.Records[1]); got != `{"b":2}` {
		t.Errorf("appending to a record changed the next one: %s", got)
	}
}

func TestMalformedAnswers(t *testing.T) {
	t.Parallel()
	both := []string{
		``, ` `, `null`, `[]`, `"x"`, `<html>`, `{`, `{"value":[{"id":1}`, `{"value":[{"id":1}]`, `{"value":[{"id":"1]}`,
		`{"value":[]} x`, `{"value":[]}{"value":[]}`, `{"value":[],}`, `{"value":[{},]}`, `{value:[]}`, `{"value":[{"a":01}]}`,
		"\x1f\x8b\x08", strings.Repeat(`{"value":[`, 20000),
	}
	pages := []string{
		`{}`, `{"id":"1"}`, `{"value":{}}`, `{"value":"x"}`, `{"value":[1]}`, `{"value":[[]]}`, `{"value":[],"@odata.nextLink":1}`, `{"value":[],"@odata.nextLink":{}}`,
		`{"value":[],"@odata.nextlink":1}`, `{"value":[],"@odata.nextLink":"a","@odata.NextLink":"b"}`, `{"value":[],"x@odata.nextLink":"a"}`,
	}
	ask := func(t *testing.T, body string, object bool) {
		t.Helper()
		requests := 0
		client := fakeClient(t, func(*http.Request) (*http.Response, error) {
			requests++
			return answer(200, body, "request-id", "r1"), nil
		}, quick)
		_, err := client.Page(t.Context(), chats())
		if object {
			requests = 0
			_, err = client.Object(t.Context(), chats())
		}
		e := wantError(t, err, graph.KindMalformed)
		if requests != 2 || e.Requests != 2 || e.RequestID != "r1" || e.RetryAfter <= 0 {
			t.Errorf("%.40q: %d requests, error %#v", body, requests, e)
		}
	}
	for _, body := range both {
		ask(t, body, false)
		ask(t, body, true)
	}
	for _, body := range pages {
		ask(t, body, false)
	}
}

// A report where JSON was expected is not asked for again.
func TestAFileInPlaceOfJSONIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	requests := 0
	client := fakeClient(t, func(*http.Request) (*http.Response, error) {
		requests++
		return answer(200, "Report Refresh Date\n", "Content-Type", "application/octet-stream"), nil
	})
	_, err := client.Page(t.Context(), chats())
	_ = wantError(t, err, graph.KindMalformed)
	if requests != 1 {
		t.Errorf("%d requests", requests)
	}
}

// quick makes two tries without a pause.
func quick(cfg *graphclient.Config) {
	cfg.Retry = graphclient.RetryConfig{Tries: 2, Base: 1, Max: 1}
}

func TestAnObjectIsReturnedAsItIs(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"id":"1"}`:                             `{"id":"1"}`,
		"\ufeff \r\n{\"id\":\"1\"}\r\n":          `{"id":"1"}`,
		`{"id":"1","error":{"code":"busy"}}`:     `{"id":"1","error":{"code":"busy"}}`,
		`{"error":null,"id":"1"}`:                `{"error":null,"id":"1"}`,
		`{"@odata.context":"c","id":"\ud800"}`:   `{"@odata.context":"c","id":"\ud800"}`,
		`{"value":[],"error":{"code":"a"},"x":}`: "",
	} {
		client := fakeClient(t, func(*http.Request) (*http.Response, error) { return answer(200, body, "request-id", "r1"), nil }, quick)
		object, err := client.Object(t.Context(), chats())
		if want == "" {
			_ = wantError(t, err, graph.KindMalformed)
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if string(object.Body) != want || object.RequestID != "r1" || object.Requests != 1 {
			t.Errorf("got %s %+v", object.Body, object)
		}
	}
}

func compressed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestOnlyWholeGzipBodiesAreRead(t *testing.T) {
	t.Parallel()
	whole := compressed(t, `{"value":[{"id":"1"}]}`)
	for name, c := range map[string]struct {
		encoding, body string
		kind           graph.Kind
		ok             bool
	}{
		"gzip":             {encoding: "gzip", body: whole, ok: true},
		"upper case":       {encoding: " GZIP", body: whole, ok: true},
		"identity":         {encoding: "identity", body: `{"value":[{"id":"1"}]}`, ok: true},
		"cut":              {encoding: "gzip", body: whole[:len(whole)-12], kind: graph.KindUnavailable},
		"broken check sum": {encoding: "gzip", body: whole[:len(whole)-8] + "\x00\x00\x00\x00" + whole[len(whole)-4:], kind: graph.KindMalformed},
		"not compressed":   {encoding: "gzip", body: `{"value":[{"id":"1"}]}`, kind: graph.KindMalformed},
		"unknown":          {encoding: "br", body: "x", kind: graph.KindMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var accepted string
			client := fakeClient(t, func(r *http.Request) (*http.Response, error) {
				accepted = r.Header.Get("Accept-Encoding")
				return answer(200, c.body, "Content-Encoding", c.encoding), nil
			}, quick)
			page, err := client.Page(t.Context(), chats())
			if accepted != "gzip" {
				t.Errorf("Accept-Encoding: %q", accepted)
			}
			if !c.ok {
				_ = wantError(t, err, c.kind)
				return
			}
			if err != nil || len(page.Records) != 1 {
				t.Errorf("page %+v, error %v", page, err)
			}
		})
	}
}

func TestAnAnswerHasASizeLimit(t *testing.T) {
	t.Parallel()
	const limit = 1000
	page := func(size int) string {
		return `{"value":[{"t":"` + strings.Repeat("x", size-len(`{"value":[{"t":""}]}`)) + `"}]}`
	}
	for name, c := range map[string]struct {
		response func() *http.Response
		ok       bool
	}{
		"exactly": {func() *http.Response { return answer(200, page(limit)) }, true},
		"beyond":  {func() *http.Response { return answer(200, page(limit+1)) }, false},
		"beyond, length unknown": {func() *http.Response {
			r := answer(200, page(limit+1))
			r.ContentLength = -1
			return r
		}, false},
		"compressed exactly": {func() *http.Response { return answer(200, compressed(t, page(limit)), "Content-Encoding", "gzip") }, true},
		"bomb":               {func() *http.Response { return answer(200, compressed(t, page(10<<20)), "Content-Encoding", "gzip") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := 0
			client := fakeClient(t, func(*http.Request) (*http.Response, error) {
				requests++
				return c.response(), nil
			}, quick, func(cfg *graphclient.Config) { cfg.MaxBody = limit })
			_, err := client.Page(t.Context(), chats())
			if requests != 1 {
				t.Errorf("%d requests", requests)
			}
			if c.ok {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e := wantError(t, err, graph.KindTooLarge); e.RetryAfter != 0 {
				t.Errorf("RetryAfter = %v", e.RetryAfter)
			}
		})
	}
}
