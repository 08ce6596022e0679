package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// coldBars measures bars 1 to 3. Without the SDK only bar 3 has a row, and the notes.
func coldBars(t *table, p *profiler, rounds int, plain, packed string) error {
	var bare, whole *contender
	for _, of := range []struct{ what, address string }{{"plain", plain}, {"gzip", packed}} {
		c, err := newCold(of.address)
		if err != nil {
			return err
		}
		if err := race(p, rounds, c.all()...); err != nil {
			return err
		}
		if c.sdk != nil {
			sdkRows(t, of.what, c.sdk.cpu/c.bare.cpu, c.sdk.cpu/c.whole.cpu)
		}
		for _, one := range c.all() {
			t.notef("  %-5s %-22s %8.0f events per CPU second  %6.1f allocations and %6.0f bytes an event", of.what, one.name, 1e9/one.cpu, one.allocs, one.size)
		}
		if of.what == "plain" {
			bare, whole = c.bare, c.whole
		}
	}
	t.row("3", "allocations an event, bare", fmt.Sprintf("%.1f", bare.allocs), atMost(bare.allocs, 6, "≤ 6"), atMost(bare.allocs, 3, "≤ 3"))
	t.row("3", "bytes an event, bare", fmt.Sprintf("%.0f", bare.size), atMost(bare.size, 2*1024, "≤ 2 KB"), atMost(bare.size, 1024, "≤ 1 KB"))
	t.row("3", "allocations an event, whole model", fmt.Sprintf("%.1f", whole.allocs), atMost(whole.allocs, 12, "≤ 12"), atMost(whole.allocs, 3, ""))
	t.row("3", "bytes an event, whole model", fmt.Sprintf("%.0f", whole.size), atMost(whole.size, 3*1024, "≤ 3 KB"), atMost(whole.size, 1024, ""))
	return nil
}

func sdkRows(t *table, what string, bare, whole float64) {
	if what == "plain" {
		t.row("1", "cold chat page vs SDK, bare event", times(bare), atLeast(bare, 10, "≥ 10×"), atLeast(bare, 15, "≥ 15×"))
		t.row("1", "cold chat page vs SDK, whole model", times(whole), atLeast(whole, 7.5, "≥ 7.5×"), atLeast(whole, 15, ""))
		return
	}
	t.row("2", "gzip chat page vs SDK, bare event", times(bare), atLeast(bare, 9, "≥ 9×"), atLeast(bare, 14, "≥ 14×"))
	t.row("2", "gzip chat page vs SDK, whole model", times(whole), atLeast(whole, 7.5, "≥ 7.5×"), atLeast(whole, 14, ""))
}

func times(ratio float64) string { return fmt.Sprintf("%.1f×", ratio) }

func percent(ratio float64) string { return fmt.Sprintf("%.0f %%", 100*ratio) }

// buildBars reads what buildcost measured for bar 12.
func buildBars(t *table, folder string) error {
	type cost struct {
		CPUSeconds   float64 `json:"cpu_seconds"`
		LargestBytes int64   `json:"largest_bytes"`
	}
	var costs [2]cost
	for i, name := range []string{"sdk.json", "parley.json"} {
		raw, err := os.ReadFile(filepath.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			t.notef("  bar 12: %s is missing: make bench-ratios measures it", name)
			return nil
		}
		if err == nil {
			err = json.Unmarshal(raw, &costs[i])
		}
		if err != nil {
			return fmt.Errorf("read the build costs: %w", err)
		}
	}
	ratio, largest := costs[1].CPUSeconds/costs[0].CPUSeconds, float64(costs[1].LargestBytes)/(1<<30)
	t.row("12", "cold build CPU vs SDK", fmt.Sprintf("%.2f×", ratio), atMost(ratio, 0.35, "≤ 0.35×"), atMost(ratio, 0.25, "≤ 0.25×"))
	t.row("12", "largest process of the build", fmt.Sprintf("%.2f GB", largest), atMost(largest, 0.6, "≤ 0.6 GB"), atMost(largest, 0.6, ""))
	t.notef("  build SDK program %.0f CPU s, largest %.2f GB; Parley %.0f CPU s", costs[0].CPUSeconds, float64(costs[0].LargestBytes)/(1<<30), costs[1].CPUSeconds)
	return nil
}
