package failure

import "testing"

// TestEveryFailureIsExplained: a source that stopped in an earlier call, whose cause its token does not hold, is explained too.
func TestEveryFailureIsExplained(t *testing.T) {
	t.Parallel()
	for kind, m := range meanings {
		if Explain(m.Reason, nil) == "" {
			t.Errorf("%v: there is no explanation of %v", kind, m.Reason)
		}
	}
}
