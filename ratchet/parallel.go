package ratchet

import (
	"errors"
	"slices"
	"sync"

	"github.com/trefoil-im/trefoil/state"
)

// Parallel calls receive, which gives many frames to Vault.ReceiveAll with the Opener of the options that it is called with: under them
// the signatures of messages are checked in another goroutine, while the next frames are opened. What it does is the same as without:
// nothing is committed before all signatures that it rests on were checked (State.Succeeds waits for them), and if one is wrong,
// nothing is, and receive is called once more, with o, under which each is checked before anything else. So a member that writes under
// the name of another costs the frames of one commit twice. The receipts are those of the call that dealt with the frame. The options are
// for one vault at a time. No goroutine outlives Parallel.
func Parallel(o Options, receive func(Options) ([]state.Receipt, error)) ([]state.Receipt, error) {
	p := new(parallel)
	defer p.hold() // also if receive panics
	beside := o
	beside.parallel = p
	first, err := receive(beside)
	if p.hold() {
		return first, err
	}
	again, err := receive(o)
	return dealtWith(first, again), err
}

// dealtWith returns the receipts of a second call for the same frames. Those that the first one dealt with are known to the second.
func dealtWith(first, again []state.Receipt) []state.Receipt {
	for i, r := range first[:min(len(first), len(again))] {
		if r.Verdict != state.Stop {
			again[i].Verdict, again[i].Reason = r.Verdict, r.Reason
		}
		again[i].Acknowledge = slices.Concat(r.Acknowledge, again[i].Acknowledge)
	}
	return again
}

// errPresumed is the error for a state that rests on a signature that was taken to be right and is not.
var errPresumed = errors.New("ratchet: a signature that was presumed is wrong")

// parallel are the checks of one call of Parallel.
type parallel struct {
	tx     any     // the transaction that is under way
	checks *checks // its own, or nil before the first one
}

// of returns the checks of a transaction, or errPresumed if one before it had a wrong signature: what comes behind it is left for the next
// call, so that the order stays.
func (p *parallel) of(tx any) (*checks, error) {
	if p.tx != tx {
		if !p.hold() {
			return nil, errPresumed
		}
		p.tx, p.checks = tx, new(checks)
	}
	return p.checks, nil
}

// hold returns when no check is left, and reports whether all were right.
func (p *parallel) hold() bool { return p.checks == nil || p.checks.hold() }

// checks are those that the states of one transaction rest on. A worker makes them one after the other: one is enough, since it takes
// less time to check a signature than to do the rest for a message.
type checks struct {
	worker sync.WaitGroup

	mu      sync.Mutex
	waiting []func() error
	working bool
	wrong   bool
}

// begin has a check made.
func (c *checks) begin(check func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, check)
	if !c.working {
		c.working = true
		c.worker.Go(c.work)
	}
}

// work makes the checks that wait, until there is none.
func (c *checks) work() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.waiting) > 0 {
		check := c.waiting[0]
		c.waiting[0] = nil // it holds a message, and a State holds the checks
		c.waiting = c.waiting[1:]
		c.mu.Unlock()
		err := check()
		c.mu.Lock()
		c.wrong = c.wrong || err != nil
	}
	c.working = false
}

// hold returns when no check is left, and reports whether all were right. It makes those that wait with the worker. Nothing may begin
// meanwhile.
func (c *checks) hold() bool {
	c.work()
	c.worker.Wait()
	return !c.wrong
}
