package trefoiltest

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"testing"
)

// Check runs a test in worlds of n seeds, from first on. If it fails in one, it looks for the fewest faults of the network (see
// Net.Lose, Net.Repeat, Net.Delay) with which it still fails, and then fails with what the test says there.
func Check(t *testing.T, first uint64, n int, test func(*World)) {
	t.Helper()
	for seed := first; seed < first+uint64(n); seed++ {
		if failed, _ := try(t, seed, nil, test); failed != nil {
			muted := shrink(t, seed, test)
			failed, faults := try(t, seed, muted, test)
			t.Fatalf("trefoiltest: seed %d fails, with %d faults of the network left:\n%s", seed, faults-len(muted), failed.text)
		}
	}
}

// try runs a test once, and returns how it failed, or nil, and how many faults happened or were muted.
func try(t *testing.T, seed uint64, muted map[int]bool, test func(*World)) (*probe, int) {
	p := &probe{TB: t}
	drawn := 0
	done := make(chan struct{})
	go func() { // FailNow ends a goroutine
		defer close(done)
		w := newWorld(t, p, seed, muted)
		defer func() { drawn = len(w.net.happened) }()
		test(w)
	}()
	<-done
	for _, f := range slices.Backward(p.cleanups) {
		f()
	}
	if !p.failed {
		return nil, drawn
	}
	return p, drawn
}

// shrink returns which faults may be left out: first halves of those that are left, then smaller parts.
func shrink(t *testing.T, seed uint64, test func(*World)) map[int]bool {
	happened := happenedIn(t, seed, test)
	muted := make(map[int]bool)
	for size := len(happened); size > 0; size /= 2 {
		for from := 0; from < len(happened); from += size {
			less := maps.Clone(muted)
			for _, k := range happened[from:min(from+size, len(happened))] {
				less[k] = true
			}
			if len(less) == len(muted) {
				continue
			}
			if failed, _ := try(t, seed, less, test); failed != nil {
				muted = less
			}
		}
	}
	return muted
}

func happenedIn(t *testing.T, seed uint64, test func(*World)) (all []int) {
	test2 := func(w *World) {
		defer func() { all = slices.Sorted(maps.Keys(w.net.happened)) }()
		test(w)
	}
	try(t, seed, nil, test2)
	return all
}

// probe is a test that may fail without failing the real one.
type probe struct {
	testing.TB
	failed   bool
	text     string
	cleanups []func()
}

func (p *probe) Cleanup(f func()) { p.cleanups = append(p.cleanups, f) }
func (p *probe) Failed() bool     { return p.failed }
func (p *probe) Fail()            { p.failed = true }
func (p *probe) FailNow()         { p.failed = true; runtime.Goexit() }
func (p *probe) note(s string)    { p.text += s + "\n" }

func (p *probe) Error(args ...any)            { p.note(fmt.Sprint(args...)); p.Fail() }
func (p *probe) Errorf(f string, args ...any) { p.note(fmt.Sprintf(f, args...)); p.Fail() }
func (p *probe) Fatal(args ...any)            { p.note(fmt.Sprint(args...)); p.FailNow() }
func (p *probe) Fatalf(f string, args ...any) { p.note(fmt.Sprintf(f, args...)); p.FailNow() }
func (p *probe) Log(args ...any)              { p.note(fmt.Sprint(args...)) }
func (p *probe) Logf(f string, args ...any)   { p.note(fmt.Sprintf(f, args...)) }
