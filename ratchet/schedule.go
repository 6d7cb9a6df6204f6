package ratchet

import (
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// rhythm is what says when a member commits and sends (§5, When to commit). Times are of the pruning clock unless a field says
// otherwise.
type rhythm struct {
	commit     bool          // the next send makes a commit: a ticket was merged, or the state was set back
	ask        bool          // a ticket is needed
	askUnder   proto.EpochID // the root as of which to ask while that of the preferred epoch has an older owner list than askUntil; it may be given up
	askUntil   proto.ListRank
	committed  millis        // of the last own commit, or of entering the space
	healing    proto.EpochID // the own epoch that was made because the interval was over, until the next one is
	healedAt   millis        // wall clock: when it was made
	again      bool          // it was made a second time, since nobody was read below the first
	heard      millis        // when a message of another member was read last
	pruned     millis        // when Prune ran last
	restored   bool          // opened from a copy, and no ticket for a request that was made since merged (§8)
	caughtUpAt millis        // wall clock: the end of the mailbox since then from which the silence counts; 0 while there was none
	setBack    bool          // numbers may have been used that this state does not know (§8)
	since      proto.EpochID // the own epoch that was made last since then; zero if none was
	told       proto.EpochID // that was only told and came to be preferred, or what is below it
	toldAt     millis        // wall clock: when that was
	toldAsks   uint8         // how often a ticket was asked for because of it
}

func newRhythm(now millis) rhythm { return rhythm{committed: now, heard: now, pruned: now} }

func (r rhythm) encode(e *state.Encoder) {
	e.Bool(r.commit)
	e.Bool(r.ask)
	e.Fixed(r.askUnder[:])
	e.Uint64(r.askUntil.Counter)
	e.Fixed(r.askUntil.Hash[:])
	e.Int64(r.committed)
	e.Fixed(r.healing[:])
	e.Int64(r.healedAt)
	e.Bool(r.again)
	e.Int64(r.heard)
	e.Int64(r.pruned)
	e.Bool(r.restored)
	e.Int64(r.caughtUpAt)
	e.Bool(r.setBack)
	e.Fixed(r.since[:])
	e.Fixed(r.told[:])
	e.Int64(r.toldAt)
	e.Uint8(r.toldAsks)
}

func decodeRhythm(d *state.Decoder) (r rhythm) {
	r.commit, r.ask = d.Bool(), d.Bool()
	d.Into(r.askUnder[:])
	r.askUntil.Counter = d.Uint64()
	d.Into(r.askUntil.Hash[:])
	r.committed = d.Int64()
	d.Into(r.healing[:])
	r.healedAt, r.again = d.Int64(), d.Bool()
	r.heard, r.pruned = d.Int64(), d.Int64()
	r.restored, r.caughtUpAt = d.Bool(), d.Int64()
	r.setBack = d.Bool()
	d.Into(r.since[:])
	d.Into(r.told[:])
	r.toldAt, r.toldAsks = d.Int64(), d.Uint8()
	return r
}
