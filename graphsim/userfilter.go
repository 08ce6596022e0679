package graphsim

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/parley-gateway/parley/graphsim/data"
	"github.com/parley-gateway/parley/graphsim/refusal"
)

// maxUserTerms is how many values the directory compares in one filter.
const maxUserTerms = 15

// userOperators are the operators that the directory has for each property without `ConsistencyLevel: eventual`.
var userOperators = map[string][]string{
	"id":                {"eq", "in"},
	"userprincipalname": {"eq", "in", "startswith"},
	"displayname":       {"eq", "in", "startswith"},
	"mail":              {"eq", "in", "startswith"},
	"givenname":         {"eq", "in", "startswith"},
	"surname":           {"eq", "in", "startswith"},
	"department":        {"eq", "in", "startswith"},
	"jobtitle":          {"eq", "in", "startswith"},
	"country":           {"eq", "in", "startswith"},
	"usertype":          {"eq", "in"},
	"accountenabled":    {"eq"},
}

func unsupportedQuery(message string) *refusal.Error {
	return &refusal.Error{Status: http.StatusBadRequest, Code: "Request_UnsupportedQuery", Message: message}
}

// userFilter reads $filter and $count of a list of users. What the directory answers for advanced queries alone needs
// `ConsistencyLevel: eventual` and `$count=true`; assignedPlans cannot be filtered by here at all.
func (x *exchange) userFilter() (*node, *refusal.Error) {
	count, counted := x.query.get("$count")
	eventual := strings.EqualFold(x.r.Header.Get("ConsistencyLevel"), "eventual")
	if counted && !slices.Contains([]string{"true", "false"}, count) {
		return nil, refusal.BadRequest("Invalid value '%s' for $count query option found. Valid values are 'true' and 'false'.", count)
	}
	if count == "true" && !eventual {
		return nil, &refusal.Error{Status: http.StatusBadRequest, Code: "Request_BadRequest", Message: "$count is not currently supported."}
	}
	text, ok := x.query.get("$filter")
	if !ok {
		return nil, nil // everybody
	}
	filter, err := parseUserFilter(text)
	if err != nil {
		return nil, &refusal.Error{Status: http.StatusBadRequest, Code: "Request_BadRequest", Message: "Invalid filter clause"}
	}
	return filter, checkUserFilter(filter, eventual && count == "true")
}

// checkUserFilter refuses the comparisons that the directory does not answer.
func checkUserFilter(filter *node, advanced bool) *refusal.Error {
	var refused *refusal.Error
	terms := 0
	filter.each(func(n *node) {
		operators, known := userOperators[n.path]
		terms += max(1, len(n.list))
		switch {
		case refused != nil:
		case n.op == "any" || !known:
			refused = unsupportedQuery("Unsupported or invalid query filter clause specified for property '" + n.path + "' of resource 'User'.")
		case n.op == "ne" && advanced:
		case !slices.Contains(operators, n.op):
			refused = unsupportedQuery("Unsupported Query.")
		case n.path == "accountenabled" && n.text != "true" && n.text != "false", n.path != "accountenabled" && n.kind != litString && n.op != "startswith":
			refused = &refusal.Error{Status: http.StatusBadRequest, Code: "Request_BadRequest", Message: "Invalid filter clause"}
		case n.path == "id":
			for _, id := range append([]string{n.text}, n.list...) {
				if (n.op == "eq" || id != "") && !isGUID(id) {
					refused = &refusal.Error{Status: http.StatusBadRequest, Code: "Request_BadRequest", Message: "Invalid object identifier '" + id + "'."}
				}
			}
		}
	})
	if refused == nil && terms > maxUserTerms {
		refused = &refusal.Error{
			Status: http.StatusBadRequest, Code: "Request_BadRequest",
			Message: fmt.Sprintf("Too many child clauses specified in search filter expression containing 'OR' operators: %d. Max allowed: %d.", terms, maxUserTerms),
		}
	}
	return refused
}

// isGUID reports whether a text is an object id as Graph writes it.
func isGUID(text string) bool { return len(text) == 36 && uuid.Validate(text) == nil }

// userHolds compares a property of a user, without case.
func (x *exchange) userHolds(user data.Ref, n *node) bool {
	value := ""
	for _, field := range x.renderUser(user) {
		if strings.EqualFold(field.Key, n.path) {
			switch v := field.Value.(type) {
			case string:
				value = v
			case bool:
				value = strconv.FormatBool(v)
			}
		}
	}
	switch n.op {
	case "in":
		return slices.ContainsFunc(n.list, func(text string) bool { return strings.EqualFold(text, value) })
	case "startswith":
		return len(value) >= len(n.text) && strings.EqualFold(value[:len(n.text)], n.text)
	default:
		return n.compareText(value)
	}
}
