package source

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// chain is a Graph of numbered pages whose answers take a second and whose records half of one to normalize.
type chain struct {
	pages    int
	asked    []string
	canceled int
	failAt   string
}

func (c *chain) ask(ctx context.Context, link string) (*Page[Item], error) {
	c.asked = append(c.asked, link)
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		c.canceled++
		return nil, ctx.Err()
	}
	n, _ := strconv.Atoi(link)
	page := &Page[Item]{Rows: 1}
	if n+1 < c.pages {
		page.Next = strconv.Itoa(n + 1)
	}
	announce(ctx, page.Next, 1)
	time.Sleep(500 * time.Millisecond)
	if c.failAt != "" && link == c.failAt {
		return nil, errors.New("broken")
	}
	return page, nil
}

// readChain reads to the end or the first error.
func readChain(ctx context.Context, a *Prefetcher) error {
	for link := ""; ; {
		page, err := a.Page(ctx, link)
		if err != nil || page.Next == "" {
			return err
		}
		link = page.Next
	}
}

func always(string, int) bool { return true }

func TestTheNextPageIsAskedForWhileRowsAreNormalized(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			follow func(string, int) bool
			took   time.Duration
		}{
			{always, 10500 * time.Millisecond}, // ten answers, and the last page's records
			{func(string, int) bool { return false }, 15 * time.Second},
		} {
			c := &chain{pages: 10}
			a := &Prefetcher{ReadPage: c.ask, Wanted: test.follow}
			began := time.Now()
			if err := readChain(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			a.Stop()
			if took := time.Since(began); took != test.took {
				t.Errorf("took %v, want %v", took, test.took)
			}
			if diff := cmp.Diff([]string{"", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, c.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		}
	})
}

func TestStopEndsThePageAskedForBeforeItsTurn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		read  func(ctx context.Context, a *Prefetcher) error
		asked []string
		fails bool
	}{
		"reader leaves": {func(ctx context.Context, a *Prefetcher) error {
			_, err := a.Page(ctx, "")
			return err
		}, []string{"", "1"}, false},
		"reader goes elsewhere": {func(ctx context.Context, a *Prefetcher) error {
			_, err := a.Page(ctx, "")
			if err == nil {
				_, err = a.Page(ctx, "7")
			}
			return err
		}, []string{"", "1", "7", "8"}, false},
		"reader is canceled": {func(ctx context.Context, a *Prefetcher) error {
			ctx, cancel := context.WithTimeout(ctx, 1800*time.Millisecond)
			defer cancel()
			return readChain(ctx, a)
		}, []string{"", "1"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := &chain{pages: 10}
				// The first page's answer takes longer than its records, so that the second one is still under way.
				slow := func(ctx context.Context, link string) (*Page[Item], error) {
					if link != "" {
						select {
						case <-time.After(5 * time.Second):
						case <-ctx.Done():
						}
					}
					return c.ask(ctx, link)
				}
				a := &Prefetcher{ReadPage: slow, Wanted: always}
				if err := test.read(t.Context(), a); (err != nil) != test.fails {
					t.Error(err)
				}
				a.Stop()
				if diff := cmp.Diff(test.asked, c.asked); diff != "" {
					t.Errorf("asked (-want +got):\n%s", diff)
				}
				if c.canceled == 0 {
					t.Error("what nobody wants any more went on")
				}
			})
		})
	}
}

// TestABrokenPageEndsItsPrefetch holds that a page that cannot be normalized is the chain's error, and the next one is given up.
func TestABrokenPageEndsItsPrefetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &chain{pages: 10, failAt: "2"}
		a := &Prefetcher{ReadPage: c.ask, Wanted: always}
		if err := readChain(t.Context(), a); err == nil || err.Error() != "broken" {
			t.Error(err)
		}
		a.Stop()
		if diff := cmp.Diff([]string{"", "1", "2", "3"}, c.asked); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
	})
}
