package source

import parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

// CopilotPlan says how the directory's list of a user's service plans bears on a reading of the user's interactions.
type CopilotPlan int

// The plans of a user, as a reading sees them.
const (
	// PlanUnchecked asks Graph, whose answer decides. It is for users who have a plan, and for readings that did not look.
	PlanUnchecked CopilotPlan = iota
	// PlanMissing does not ask Graph: the user has no plan.
	PlanMissing
	// PlanMissingAsked asks Graph about a user without a plan, who may have a history from the time of a former one. That Graph
	// refuses the user then says no more than the directory.
	PlanMissingAsked
)

// LacksCopilotPlan reports whether the directory shows that a user has no plan for Copilot. A user whose plans it does not show may
// have one.
func LacksCopilotPlan(user *parleyv1.User) bool {
	return user.GetCopilot() != nil && !user.GetCopilot().GetLicensed()
}
