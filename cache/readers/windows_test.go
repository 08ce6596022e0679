package readers_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	"github.com/parley-gateway/parley/source"
)

// windows is a reader's store of windows and answers.
type windows interface {
	readers.Windows
	readers.Answers
}

func windowsOf(t *testing.T, c pages, s readers.Scope) windows {
	t.Helper()
	w, ok := c.Events(&fakeGraph{}, s).(windows)
	if !ok {
		t.Fatal("a reader of events keeps no windows")
	}
	return w
}

// TestAWindowIsCachedAsLongAsItsOldestPage: a window is found as long as its oldest page would be, by readers of its own scope, and control is honoured.
func TestAWindowIsCachedAsLongAsItsOldestPage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, cache.Config{})
		one, user := windowsOf(t, c, scope("one")), scope("one")
		user.Identity = "a user"
		others := map[string]windows{"another tenant": windowsOf(t, c, scope("two")), "another identity": windowsOf(t, c, user)}
		q := source.EventQuery{Owner: "u", User: "u", Start: time.Now().Add(-time.Hour), End: time.Now()}
		key, answer := one.WindowKey(&q), one.AnswerKey([32]byte{1}, 50, "token")
		one.Put(readers.Value{Key: key, Value: "window", Size: 100, ReadAt: time.Now().Add(-20 * time.Second), End: q.End})
		one.Put(readers.Value{Key: answer, Value: "answer", Size: 100, ReadAt: time.Now(), End: q.End})
		ctx, recorder := recorded(t.Context())
		if one.Window(ctx, key) != "window" || one.Answer(answer) != "answer" {
			t.Error("not kept")
		}
		if hits, misses := recorder.LookUps(); hits != 1 || misses != 0 || recorder.Age() != 20*time.Second {
			t.Errorf("%d hits, %d misses, read %v ago", hits, misses, recorder.Age())
		}
		for name, other := range others {
			if other.Window(ctx, other.WindowKey(&q)) != nil || other.Answer(other.AnswerKey([32]byte{1}, 50, "token")) != nil {
				t.Errorf("%s finds it", name)
			}
		}
		age := 19 * time.Second
		for name, control := range map[string]cache.Control{"no-cache": {NoCache: true}, "max-age": {MaxAge: &age}} {
			if one.Window(cache.WithControl(ctx, control), key) != nil {
				t.Errorf("%s is not honoured", name)
			}
		}
		time.Sleep(41 * time.Second) // the page was read a minute ago
		if one.Window(ctx, key) != nil {
			t.Error("kept for longer than its page")
		}
		synctest.Wait()
	})
}
