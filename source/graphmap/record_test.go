package graphmap_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source/graphmap"
)

// TestEventsFollowTheRulesOfTheirSource shows each rule of the package comment on a small record.
func TestEventsFollowTheRulesOfTheirSource(t *testing.T) {
	t.Parallel()
	const chat, copilot, call = graphmap.RootChatMessage, graphmap.RootAIInteraction, graphmap.RootCallRecord
	tests := []struct {
		name, root, record string
		want               string // the event as protojson
	}{
		{"empty", chat, `{}`, `{"source":{},"chat":{}}`},
		{"empty interaction", copilot, ` {} `, `{"source":{},"copilot":{}}`},
		{"empty call", call, `{}`, `{"source":{},"call":{}}`},
		{"null and empty text", chat, `{"id":null,"subject":"","body":null,"createdDateTime":"","attachments":[],"reactions":null,"futureNull":null}`, `{"source":{},"chat":{}}`},
		{"annotations", chat, `{"@odata.context":"x","@odata.type":"#microsoft.graph.chatMessage","attachments@odata.nextLink":"x","id":"1","@removed":{"reason":"x"}}`, `{"source":{"id":"1"},"chat":{},"truncatedFields":["attachments"],"unmapped":{"@removed":{"reason":"x"}}}`},
		{"lists that go on", call, `{"sessions":[{"id":"s","segments@odata.NextLink":"x","y@odata.nextlink":null}],"a":{"b@nextLink":"x"},"c@odata.nextlink":"","d@odata.deltaLink":"x"}`, `{"source":{},"call":{"sessions":[{"id":"s"}]},"truncatedFields":["sessions[0].segments","a.b"],"unmapped":{"a":{}}}`},
		{"number for text", chat, `{"id":1621973534864,"etag":1.50}`, `{"source":{"id":"1621973534864","etag":"1.50"},"chat":{}}`},
		{"text for number", call, `{"version":"7","sessions":[{"segments":[{"media":[{"callerNetwork":{"port":"443","delayEventRatio":"0.5"}}]}]}]}`, `{"source":{},"call":{"recordVersion":"7","sessions":[{"segments":[{"media":[{"callerNetwork":{"port":443,"delayEventRatio":0.5}}]}]}]}}`},
		{"whole number written otherwise", call, `{"version":4.2e3}`, `{"source":{},"call":{"recordVersion":"4200"}}`},
		{"numbers out of range", call, `{"version":9223372036854775808,"sessions":[{"segments":[{"media":[{"callerNetwork":{"port":2147483648,"linkSpeed":4294967295,"delayEventRatio":1e99}}]}]}]}`, `{"source":{},"call":{"sessions":[{"segments":[{"media":[{"callerNetwork":{"linkSpeed":"4294967295"}}]}]}]},"unmapped":{"version":"9223372036854775808","sessions":{"0":{"segments":{"0":{"media":{"0":{"callerNetwork":{"port":2147483648,"delayEventRatio":1e99}}}}}}}}}`},
		{"numbers that are none", call, `{"version":"seven","sessions":[{"isTest":"yes"},{"isTest":"true"},{"isTest":1}]}`, `{"source":{},"call":{"sessions":[{},{"isTest":true},{}]},"unmapped":{"version":"seven","sessions":{"0":{"isTest":"yes"},"2":{"isTest":1}}}}`},
		{"more digits than a single holds", call, `{"sessions":[{"segments":[{"media":[{"callerNetwork":{"delayEventRatio":0.12345678901,"sentQualityEventRatio":0.10000000149011612,"receivedQualityEventRatio":0.1}}]}]}]}`, `{"source":{},"call":{"sessions":[{"segments":[{"media":[{"callerNetwork":{"delayEventRatio":0.12345679,"sentQualityEventRatio":0.1,"receivedQualityEventRatio":0.1}}]}]}]},"unmapped":{"sessions":{"0":{"segments":{"0":{"media":{"0":{"callerNetwork":{"delayEventRatio":0.12345678901}}}}}}}}}`},
		{"numbers that a double would change", chat, `{"futureBig":12345678901234567890,"futureLong":0.1234567890123456789,"futureNumber":[1,2.5,1e400]}`, `{"source":{},"chat":{},"unmapped":{"futureBig":"12345678901234567890","futureLong":"0.1234567890123456789","futureNumber":[1,2.5,"1e400"]}}`},
		{"not a number", call, `{"sessions":[{"segments":[{"media":[{"callerNetwork":{"delayEventRatio":"NaN","sentQualityEventRatio":"-INF"}}]}]}]}`, `{"source":{},"call":{"sessions":[{"segments":[{"media":[{"callerNetwork":{"delayEventRatio":"NaN","sentQualityEventRatio":"-Infinity"}}]}]}]}}`},
		{"other types", chat, `{"subject":{"a":1},"summary":["x"],"body":"text","attachments":{"id":"1"},"mentions":"none","importance":3,"createdDateTime":17,"channelIdentity":[],"policyViolation":true}`, `{"source":{},"chat":{},"unmapped":{"subject":{"a":1},"summary":["x"],"body":"text","attachments":{"id":"1"},"mentions":"none","importance":3,"createdDateTime":17,"channelIdentity":[],"policyViolation":true}}`},
		{"odd elements", chat, `{"attachments":["x",null,{"id":"1"},[2]],"policyViolation":{"policyTip":{"matchedConditionDescriptions":["a",null,7,{"b":1},""]}}}`, `{"source":{},"attachments":[{"id":"1"}],"chat":{"policyViolation":{"policyTip":{"matchedConditionDescriptions":["a","7",""]}}},"unmapped":{"attachments":{"0":"x","3":[2]},"policyViolation":{"policyTip":{"matchedConditionDescriptions":{"3":{"b":1}}}}}}`},
		{"malformed time", chat, `{"createdDateTime":"2021-03-1706:47:05.123Z","lastModifiedDateTime":"0001-01-01T00:00:00Z"}`, `{"source":{},"chat":{},"unmapped":{"createdDateTime":"2021-03-1706:47:05.123Z"}}`},
		{"malformed duration", chat, `{"eventDetail":{"@odata.type":"#microsoft.graph.callEndedEventMessageDetail","callDuration":"P1Y"}}`, `{"source":{},"system":{"eventType":"callEndedEventMessageDetail","message":{}},"unmapped":{"eventDetail":{"callDuration":"P1Y"}}}`},
		{"unknown members", call, `{"type":"hologram","modalities":["audio","smell","video","","touch",3]}`, `{"source":{},"call":{"callTypeOther":"hologram","modalities":["MODALITY_AUDIO","MODALITY_VIDEO"],"modalitiesOther":["smell","touch"]},"unmapped":{"modalities":{"5":3}}}`},
		{"members are exact in case", call, `{"type":"GroupCall"}`, `{"source":{},"call":{"callTypeOther":"GroupCall"}}`},
		{"address for a name", copilot, `{"from":{"user":{"id":"u","displayName":"8:orgid:u","tenantId":"t"},"application":{"displayName":"8:acs:1_2"},"device":{"displayName":"8: no address"}}}`, `{"actor":{"user":{"id":"u","mri":"8:orgid:u","tenantId":"t"},"application":{"mri":"8:acs:1_2"},"device":{"displayName":"8: no address"}},"source":{},"copilot":{}}`},
		{"open identities", chat, `{"from":{"user":{"id":"u","badge":{"n":1},"userIdentityType":"hermit"},"hologram":{"id":"h"},"@odata.type":"#microsoft.graph.futureIdentitySet"}}`, `{"actor":{"user":{"id":"u","identityTypeOther":"hermit"}},"source":{},"chat":{},"unmapped":{"from":{"user":{"badge":{"n":1}},"hologram":{"id":"h"}}}}`},
		{"properties of another root", chat, `{"requestId":"r","appClass":"a","startDateTime":"2026-01-01T00:00:00Z","links":[]}`, `{"source":{},"chat":{},"unmapped":{"requestId":"r","appClass":"a","startDateTime":"2026-01-01T00:00:00Z","links":[]}}`},
		{"two names for one field", copilot, `{"attachments":[{"id":"a","attachmentId":"b"},{"attachmentId":"c","id":null},{"attachmentId":null,"id":"d"}],"mentions":[{"mentionId":1,"id":2}]}`, `{"attachments":[{"id":"a"},{"id":"c"},{"id":"d"}],"mentions":[{"id":1}],"source":{},"copilot":{},"unmapped":{"attachments":{"0":{"attachmentId":"b"}},"mentions":{"0":{"id":2}}}}`},
		{"the last of equal names counts", chat, `{"subject":"a","subject":"b","from":{"user":{"id":"1","x":1}},"from":{"user":{"displayName":"n"}},"importance":"odd","importance":"high","y":1,"y":null,"webUrl":{"z":1},"webUrl":"w","summary":"s","summary":null,"attachments":[{"id":"1"}],"attachments":[{"id":"2"}]}`, `{"actor":{"user":{"displayName":"n"}},"attachments":[{"id":"2"}],"importance":"MESSAGE_IMPORTANCE_HIGH","webUrl":"w","source":{},"chat":{"subject":"b"}}`},
		{"not UTF-8", chat, "{\"subject\":\"a\xffb\",\"summary\":\"\\ud800x\",\"fut\xe9ure\":\"\xc0\",\"webUrl\":\"\\ud83d\\ude00\"}", "{\"webUrl\":\"\U0001F600\",\"source\":{},\"chat\":{\"subject\":\"a\ufffdb\",\"summary\":\"\ufffdx\"},\"unmapped\":{\"fut\ufffdure\":\"\ufffd\"}}"},
		{"names written with escapes", chat, `{"subj\u0065ct":"a","@odata\u002etype":"x"}`, `{"source":{},"chat":{"subject":"a"}}`},
		{"system message without detail", chat, `{"messageType":"systemEventMessage","eventDetail":null}`, `{"source":{},"system":{"message":{"messageType":"MESSAGE_TYPE_SYSTEM_EVENT_MESSAGE"}}}`},
		{"system message that Graph hides", chat, `{"eventDetail":{"@odata.type":"#Microsoft.Graph.teamsAppInstalledEventMessageDetail","teamsAppId":"a"},"messageType":"unknownFutureValue"}`, `{"source":{},"system":{"eventType":"teamsAppInstalledEventMessageDetail","teamsAppId":"a","message":{"messageType":"MESSAGE_TYPE_UNKNOWN_FUTURE_VALUE"}}}`},
		{"unknown detail", chat, `{"eventDetail":{"@odata.type":"#microsoft.graph.pollClosedEventMessageDetail","pollId":"p","initiator":{"user":{"id":"u"}}}}`, `{"source":{},"system":{"eventType":"pollClosedEventMessageDetail","initiator":{"user":{"id":"u"}},"message":{}},"unmapped":{"eventDetail":{"pollId":"p"}}}`},
		{"detail of no sense", chat, `{"eventDetail":"x"}`, `{"source":{},"chat":{},"unmapped":{"eventDetail":"x"}}`},
		{"types of call records", call, `{"sessions":[{"caller":{"@odata.type":"#microsoft.graph.callRecords.participantEndpoint","userAgent":{"@odata.type":"#microsoft.graph.callrecords.clientUserAgent"}},"callee":{"@odata.type":"#contoso.endpoint","userAgent":{"@odata.type":7}}}]}`, `{"source":{},"call":{"sessions":[{"caller":{"endpointType":"participantEndpoint","userAgent":{"agentType":"clientUserAgent"}},"callee":{"endpointType":"contoso.endpoint","userAgent":{}}}]}}`},
		{"open objects", call, `{"sessions":[{"caller":{"feedback":{"tokens":{"@odata.type":"#t","NoSound":true,"Echo":null}}}},{"caller":{"feedback":{"tokens":"all"}}}]}`, `{"source":{},"call":{"sessions":[{"caller":{"feedback":{"tokens":{"@odata.type":"#t","NoSound":true}}}},{"caller":{"feedback":{}}}]},"unmapped":{"sessions":{"1":{"caller":{"feedback":{"tokens":"all"}}}}}}`},
		{"undeclared participants", call, `{"organizer_v2":{"id":"+49","identity":{"phone":{"id":"+49"},"acsUser":null,"spoolUser":{"id":"s"},"endpointType":"default"}}}`, `{"source":{},"call":{"organizer":{"id":"+49","identity":{"phone":{"id":"+49"},"spoolUser":{"id":"s"},"endpointType":"ENDPOINT_TYPE_DEFAULT"}}}}`},
		{"bytes", chat, `{"hostedContents":[{"contentBytes":"aGk="},{"contentBytes":"_-8"},{"contentBytes":"a b"}]}`, `{"source":{},"chat":{"hostedContents":[{"contentBytes":"aGk="},{"contentBytes":"/+8="},{}]},"unmapped":{"hostedContents":{"2":{"contentBytes":"a b"}}}}`},
	}
	table := newTable(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sameEvent(t, table, test.root, []byte(test.record))
			got, err := table.Event(test.root, []byte(test.record))
			if err != nil {
				t.Fatal(err)
			}
			want := &parleyv1.Event{}
			if err := protojson.Unmarshal([]byte(test.want), want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform(), nanEqual()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func nanEqual() cmp.Option {
	return cmp.Comparer(func(a, b float32) bool {
		return a == b || (math.IsNaN(float64(a)) && math.IsNaN(float64(b)))
	})
}

func TestErrorsQuoteNothingOfTheRecord(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return `{"x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}` }
	tests := []struct {
		name, root, record string
		want               error
	}{
		{"nothing", graphmap.RootChatMessage, ``, graphmap.ErrRecord},
		{"null", graphmap.RootChatMessage, `null`, graphmap.ErrRecord},
		{"list", graphmap.RootChatMessage, `[{}]`, graphmap.ErrRecord},
		{"text", graphmap.RootChatMessage, `"secret"`, graphmap.ErrRecord},
		{"cut", graphmap.RootChatMessage, `{"subject":"secret`, graphmap.ErrRecord},
		{"cut in a list", graphmap.RootChatMessage, `{"attachments":[{"id":"secret"},`, graphmap.ErrRecord},
		{"cut in an unknown list", graphmap.RootChatMessage, `{"secret":["secret",`, graphmap.ErrRecord},
		{"trailing comma", graphmap.RootChatMessage, `{"subject":"secret",}`, graphmap.ErrRecord},
		{"two records", graphmap.RootChatMessage, `{}{"secret":1}`, graphmap.ErrRecord},
		{"wrong bracket", graphmap.RootChatMessage, `{"secret":[1}`, graphmap.ErrRecord},
		{"not a literal", graphmap.RootChatMessage, `{"subject":secret}`, graphmap.ErrRecord},
		{"too deep", graphmap.RootChatMessage, deep(graphmap.MaxDepth), graphmap.ErrDepth},
		{"far too deep", graphmap.RootChatMessage, deep(20000), graphmap.ErrDepth},
		{"too deep in objects", graphmap.RootCallRecord, strings.Repeat(`{"x":`, 101) + `1` + strings.Repeat(`}`, 101), graphmap.ErrDepth},
		{"unknown root", "driveItem", `{}`, graphmap.ErrRoot},
	}
	table := newTable(t)
	for _, test := range tests {
		got, err := table.Event(test.root, []byte(test.record))
		if got != nil || !errors.Is(err, test.want) {
			t.Errorf("%s: %v, %v", test.name, got, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error quotes the record: %v", test.name, err)
		}
	}
	if _, err := table.Event(graphmap.RootChatMessage, []byte(deep(graphmap.MaxDepth-1))); err != nil {
		t.Errorf("deep, but not too deep: %v", err)
	}
	if _, err := table.NestedLinks(graphmap.RootCallRecord, []byte(`["@odata.nextLink"]`)); !errors.Is(err, graphmap.ErrRecord) {
		t.Errorf("links of a list: %v", err)
	}
	if _, err := table.UsageRows([]byte(`{"copilotActivityUserDetailsByPeriod":[{`)); !errors.Is(err, graphmap.ErrRecord) {
		t.Errorf("a cut row: %v", err)
	}
}
