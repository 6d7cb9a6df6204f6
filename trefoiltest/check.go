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
		if f := find(t, seed, test); f != nil {
			t.Fatalf("trefoiltest: seed %d fails, with %d faults of the network left:\n%s", seed, f.faults, f.text)
		}
	}
}

// failure is how a test fails with the fewest faults.
type failure struct {
	faults int
	text   string
}

// find returns how a test fails with a seed, or nil.
func find(t *testing.T, seed uint64, test func(*World)) *failure {
	failed, happened := try(t, seed, nil, test)
	if failed == nil {
		return nil
	}
	muted := shrink(t, seed, happened, test)
	if less, now := try(t, seed, muted, test); less != nil {
		failed, happened = less, now
	}
	left := slices.DeleteFunc(happened, func(k int) bool { return muted[k] })
	return &failure{len(left), failed.text}
}

// try runs a test once, and returns how it failed, or nil, and which faults happened or were muted.
func try(t *testing.T, seed uint64, muted map[int]bool, test func(*World)) (failed *probe, happened []int) {
	p := &probe{TB: t}
	done := make(chan struct{})
	go func() { // FailNow ends a goroutine
		defer close(done)
		w := newWorld(t, p, seed, muted)
		defer func() { happened = slices.Sorted(maps.Keys(w.net.happened)) }()
		test(w)
	}()
	<-done
	for _, f := range slices.Backward(p.cleanups) {
		f()
	}
	if p.failed {
		failed = p
	}
	return failed, happened
}

// shrink returns which of the faults may be left out: first halves of them, then smaller parts.
func shrink(t *testing.T, seed uint64, happened []int, test func(*World)) map[int]bool {
	muted := make(map[int]bool)
	for size := len(happened); size > 0; size /= 2 {
		for part := range slices.Chunk(happened, size) {
			less := maps.Clone(muted)
			for _, k := range part {
				less[k] = true
			}
			if failed, _ := try(t, seed, less, test); failed != nil {
				muted = less
			}
		}
	}
	return muted
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
