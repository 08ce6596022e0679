package readers_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/cache/readers"
	"github.com/parley-gateway/parley/source"
)

// TestAUserWithoutAPlanIsAskedAboutOnceAWeek asks about a user without a plan once a week at most, whatever the spelling of the id.
func TestAUserWithoutAPlanIsAskedAboutOnceAWeek(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		plans := readers.NewPlans()
		const day = 24 * time.Hour
		for _, step := range []struct {
			after time.Duration
			id    string
			want  source.CopilotPlan
		}{
			{0, "C", source.PlanMissing},
			{6 * day, "c", source.PlanMissing},
			{2 * day, "C", source.PlanMissingAsked},
			{0, "C", source.PlanMissing},
			{0, "D", source.PlanMissing},
			{7 * day, "c", source.PlanMissingAsked},
		} {
			time.Sleep(step.after)
			if got := plans.Copilot(step.id); got != step.want {
				t.Errorf("%s after %v: %v, want %v", step.id, step.after, got, step.want)
			}
		}
	})
}
