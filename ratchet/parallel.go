package ratchet

import (
	"errors"
	"sync"
	"sync/atomic"
)

// Parallel calls receive, which gives many frames to Vault.ReceiveAll with the Opener of the options that it is called with: under them
// the signatures of messages are checked on other processors, while the next frames are opened. What it does is the same as without:
// nothing is committed before all signatures that it rests on were checked (State.Succeeds waits for them), and if one is wrong,
// nothing is, and receive is called once more, with o, under which each is checked before anything else. So a member that writes under
// the name of another costs the frames of one commit twice. No goroutine outlives Parallel.
func Parallel[R any](o Options, receive func(Options) (R, error)) (R, error) {
	p := new(parallel)
	defer p.wait()
	beside := o
	beside.parallel = p
	out, err := receive(beside)
	if errors.Is(err, errPresumed) {
		return receive(o)
	}
	return out, err
}

// errPresumed is the error for a state that rests on a signature that was taken to be right and is not.
var errPresumed = errors.New("ratchet: a signature that was presumed is wrong")

// parallel are the checks of one call of Parallel.
type parallel struct {
	tx  any // the transaction that the last of checks belongs to
	all []*checks
}

// of returns the checks of a transaction.
func (p *parallel) of(tx any) *checks {
	if p.tx != tx {
		p.tx, p.all = tx, append(p.all, new(checks))
	}
	return p.all[len(p.all)-1]
}

func (p *parallel) wait() {
	for _, c := range p.all {
		c.hold()
	}
}

// checks are those that the states of one transaction rest on.
type checks struct {
	group sync.WaitGroup
	wrong atomic.Bool
}

// begin makes a check in a goroutine of its own.
func (c *checks) begin(check func() error) {
	c.group.Go(func() {
		if check() != nil {
			c.wrong.Store(true)
		}
	})
}

// hold waits for the checks that were begun, and reports whether all were right.
func (c *checks) hold() bool {
	c.group.Wait()
	return !c.wrong.Load()
}
