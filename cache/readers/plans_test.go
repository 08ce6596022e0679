package readers_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// TestAUserWithoutAPlanIsAskedAboutOnceAWeek asks about a user without a plan once a week at most, whatever the spelling of the id, and about everybody else always.
func TestAUserWithoutAPlanIsAskedAboutOnceAWeek(t *testing.T) {
	t.Parallel()
	licensed := func(yes bool) *parleyv1.CopilotLicence { return &parleyv1.CopilotLicence{Licensed: &yes} }
	synctest.Test(t, func(t *testing.T) {
		plans := readers.NewPlans()
		const day = 24 * time.Hour
		for _, step := range []struct {
			after time.Duration
			user  *parleyv1.User
			want  source.CopilotPlan
		}{
			{0, &parleyv1.User{Id: "A", Copilot: licensed(true)}, source.PlanUnchecked},
			{0, &parleyv1.User{Id: "B"}, source.PlanUnchecked},
			{0, &parleyv1.User{Id: "C", Copilot: licensed(false)}, source.PlanMissing},
			{6 * day, &parleyv1.User{Id: "c", Copilot: licensed(false)}, source.PlanMissing},
			{2 * day, &parleyv1.User{Id: "C", Copilot: licensed(false)}, source.PlanMissingAsked},
			{0, &parleyv1.User{Id: "C", Copilot: licensed(false)}, source.PlanMissing},
			{0, &parleyv1.User{Id: "D", Copilot: licensed(false)}, source.PlanMissing},
			{7 * day, &parleyv1.User{Id: "c", Copilot: licensed(false)}, source.PlanMissingAsked},
			{0, &parleyv1.User{Id: "C", Copilot: licensed(true)}, source.PlanUnchecked},
		} {
			time.Sleep(step.after)
			if got := plans.Copilot(step.user); got != step.want {
				t.Errorf("%v after %v: %v, want %v", step.user, step.after, got, step.want)
			}
		}
	})
}
