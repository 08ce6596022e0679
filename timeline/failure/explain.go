package failure

import (
	"errors"

	"github.com/parley-gateway/parley/graphclient"
)

// explanations are what notices say to people about doubts; for what is not here, Words.
var explanations = map[string]string{
	ReasonSeveral:         "Several doubts lie close together in this span",
	ReasonNotInCloud:      "The source does not exist in this cloud and was not asked",
	ReasonUnavailable:     "Graph did not answer, or its answer was broken; reading went on behind this span",
	ReasonRejectedRequest: "Graph rejected a request for this span",
	ReasonPagingLoop:      "Graph led to a page that had been read before",
	ReasonNotHonoured:     "Graph sent rows from far outside this span; they are marked out_of_window",
	ReasonParticipant:     "Graph sent calls that name people and not the user; they are included",
	ReasonNotProved:       "Calls whose records do not prove that the user took part, or could not be read, were left out",
	ReasonBeforeKept:      "The source does not reach back as far as asked",
	ReasonTruncated:       "Two readings of this span differ: Graph ended one of them too early",
	ReasonTooManyPages:    "This span did not end within the page limit",
	ReasonAmbiguous:       "Graph sent several things under one id and version; all of them are delivered",
	NoticeStartRaised:     "Graph refused to be asked from 1970 on; what lies before this span was not read",
	ReasonNotFiltered:     "Graph did not evaluate the filter and the rows do not hold what it names; rows that may not match are included",
}

// Explain is what a notice says about a reason; cause is the failure behind it where it is known.
func Explain(reason string, cause error) string {
	if graph, ok := errors.AsType[*graphclient.Error](cause); ok {
		return sentence(MeaningOf(graph).Words)
	}
	if words, ok := explanations[reason]; ok {
		return words
	}
	return sentence(Words(reason))
}
