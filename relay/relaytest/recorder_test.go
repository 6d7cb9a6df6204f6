package relaytest

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
)

// recorder is a test that may fail without the test that started it failing.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failures []string
	cleanups []func()
}

// record runs f as a test of its own and returns what it failed with.
func record(tb testing.TB, f func(testing.TB)) []string {
	r := &recorder{TB: tb}
	alone := func(f func()) {
		done := make(chan struct{})
		go func() { // FailNow ends the goroutine
			defer close(done)
			f()
		}()
		<-done
	}
	alone(func() { f(r) })
	for _, cleanup := range r.cleanups {
		alone(cleanup)
	}
	return r.failures
}

func (r *recorder) fail(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, text)
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failures) > 0
}

func (r *recorder) FailNow() {
	r.fail("FailNow")
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.fail(fmt.Sprintf(format, args...))
	runtime.Goexit()
}

func (r *recorder) Fatal(args ...any) { r.Fatalf("%s", fmt.Sprint(args...)) }
func (r *recorder) Error(args ...any) { r.fail(fmt.Sprint(args...)) }
func (r *recorder) Cleanup(f func())  { r.cleanups = append(r.cleanups, f) }
