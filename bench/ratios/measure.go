package main

import (
	"fmt"
	"math"
	"runtime"
	"syscall"
	"time"
)

// spent is what a process has used up: CPU time, and allocations with their bytes.
type spent struct {
	cpu     time.Duration
	mallocs uint64
	bytes   uint64
}

// now returns what this process has spent.
func now() (spent, error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return spent{}, fmt.Errorf("ask for the usage: %w", err)
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return spent{time.Duration(used.Utime.Nano() + used.Stime.Nano()), memory.Mallocs, memory.TotalAlloc}, nil
}

func (s spent) since(o spent) spent {
	return spent{s.cpu - o.cpu, s.mallocs - o.mallocs, s.bytes - o.bytes}
}

// garbage says whether the garbage of a process is collected before it counts what it has spent, so that no contender pays for
// another's.
type garbage bool

const (
	collected garbage = true
	leftAlone garbage = false
)

// contender is one side of a comparison. Its run does units of work and returns how many.
type contender struct {
	name string
	run  func() (units int, err error)
	// elsewhere, if set, returns what another process has spent; it is added.
	elsewhere func(garbage) (spent, error)

	// The best round, by unit: nanoseconds of all processes and of the other one; allocations and their bytes.
	cpu, other, allocs, size float64
}

// race runs the contenders in turn, rounds times, and keeps each one's best round.
func race(p *profiler, rounds int, contenders ...*contender) error {
	for _, c := range contenders {
		c.cpu, c.other, c.allocs, c.size = math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1)
	}
	for i := range rounds + 1 { // the first round warms up, and counts if it is the best
		for _, c := range contenders {
			if i == 1 {
				if err := p.round(c); err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
			}
			if err := c.round(); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	return nil
}

// round runs the contender once, and keeps the figures if they are the best.
func (c *contender) round() error {
	runtime.GC()
	var far, farEnd spent
	before, err := now()
	if err != nil {
		return err
	}
	if c.elsewhere != nil {
		if far, err = c.elsewhere(collected); err != nil {
			return err
		}
		if before, err = now(); err != nil {
			return err
		}
	}
	units, err := c.run()
	if err != nil {
		return err
	}
	after, err := now()
	if err != nil {
		return err
	}
	if c.elsewhere != nil {
		if farEnd, err = c.elsewhere(leftAlone); err != nil {
			return err
		}
	}
	here, there, n := after.since(before), farEnd.since(far), float64(units)
	c.cpu = min(c.cpu, float64(here.cpu+there.cpu)/n)
	c.other = min(c.other, float64(there.cpu)/n)
	if c.elsewhere != nil {
		c.allocs = min(c.allocs, float64(there.mallocs)/n)
		c.size = min(c.size, float64(there.bytes)/n)
		return nil
	}
	c.allocs = min(c.allocs, float64(here.mallocs)/n)
	c.size = min(c.size, float64(here.bytes)/n)
	return nil
}
