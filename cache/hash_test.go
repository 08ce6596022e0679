package cache

import (
	"context"
	"testing"
	"time"
)

// TestACollisionOfHashesIsAMiss puts another key's page where the store looks for a key, as a hash collision would.
func TestACollisionOfHashesIsAMiss(t *testing.T) {
	t.Parallel()
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	foreign := &item[*entry]{key: "tenant b", size: 1, value: &entry{
		key: "tenant b", value: "foreign", read: time.Now(), expires: time.Now().Add(time.Hour), size: 1,
	}}
	c.store.ristretto.Set("tenant a", foreign, 1)
	c.store.ristretto.Wait()
	if _, found := c.store.ristretto.Get("tenant a"); !found {
		t.Fatal("the forged entry is not there")
	}
	if e, result := c.get(context.Background(), "tenant a", ""); e != nil || result != resultMiss {
		t.Errorf("another key's page was served: %v", result)
	}
}

// TestAPageFromTheFutureIsNotServed checks that a page that seems to come from the future is not served.
func TestAPageFromTheFutureIsNotServed(t *testing.T) {
	t.Parallel()
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.put(&entry{key: "k", read: time.Now().Add(time.Hour), expires: time.Now().Add(2 * time.Hour), size: 1})
	if e, _ := c.get(context.Background(), "k", ""); e != nil {
		t.Error("a page from the future was served")
	}
}
