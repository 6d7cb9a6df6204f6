package orphans

import (
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// progress is how far the search of one frame went.
//
// Epochs held and candidates are numbered in the order in which they came to be known, each for itself. A span says with
// which numbers a frame was tried. It stays one interval because what came later is tried upwards and then what came earlier
// downwards.
type progress struct {
	held, led span
	found     []finding // of the commits that something opened, ascending by place
}

// span is the interval of the numbers first to last; it is empty where first is last + 1. The zero span is one that was not
// begun.
type span struct{ first, last uint64 }

// begin returns the empty span below which are the numbers given out so far.
func begin(newest uint64) span { return span{newest + 1, newest} }

// left returns how many numbers up to newest the span does not cover: an upper bound of the epochs to be tried.
func (s span) left(newest uint64) uint64 {
	if s.first == 0 {
		return newest
	}
	return newest - min(newest, s.last) + s.first - 1
}

func (s span) valid() bool { return s == span{} || s.first > 0 && s.first-1 <= s.last }

// finding is what became of a commit that opened.
type finding struct {
	place uint8 // of the commit in its frame
	what  outcome
	epoch proto.EpochID // the child, of a commit that led; the parent, of one that waits; else zero
	maker dkg.Index     // of one that is crowded
}

type outcome uint8

const (
	// ended: there is nothing more to find out about the commit: it is false, one's own, or makes an epoch held.
	ended outcome = iota
	// led: the child is a candidate.
	led
	// wordless: no node that was told gives the keys of the child. It is tried again with each further word (§4 step 8).
	wordless
	// closed: its place is used up. A ticket may bring the child (D51), and §9 may say that it is from before joining.
	closed
	// crowded: its maker has as many candidates as it may have.
	crowded
)

// due is added to one of the three that wait, once there is a reason to try the commit again.
const due outcome = 0x80

func (o outcome) waits() bool { return o&^due >= wordless }

// at returns where in found the commit at a place is, or would be.
func (p progress) at(place int) (int, bool) {
	return slices.BinarySearchFunc(p.found, place, func(f finding, place int) int { return cmp.Compare(int(f.place), place) })
}

// open reports whether nothing opened the commit at a place yet.
func (p progress) open(place int) bool {
	_, ok := p.at(place)
	return !ok
}

// with returns the progress with a finding in place of what was known of that commit.
func (p progress) with(f finding) progress {
	p.found = slices.Clone(p.found)
	if i, ok := p.at(int(f.place)); ok {
		p.found[i] = f
	} else {
		p.found = slices.Insert(p.found, i, f)
	}
	return p
}

// change returns the progress with each finding replaced by what f returns, or without it; and whether anything changed.
func (p progress) change(f func(finding) (finding, bool)) (progress, bool) {
	var out []finding
	changed := false
	for _, at := range p.found {
		next, keep := f(at)
		if changed = changed || !keep || next != at; keep {
			out = append(out, next)
		}
	}
	if !changed {
		return p, false
	}
	p.found = out
	return p, true
}

// left returns an upper bound of the trials that are left with these numbers given out, for a frame with so many commits.
func (p progress) left(commits int, header bool, held, led uint64) uint64 {
	each, again := uint64(commits-len(p.found)), uint64(0)
	if header {
		each++
	}
	for _, f := range p.found {
		if f.what.waits() && f.what&due != 0 {
			again++
		}
	}
	return again + each*(p.held.left(held)+p.led.left(led))
}

func (p progress) encode(e *state.Encoder) {
	for _, s := range []span{p.held, p.led} {
		e.Uint64(s.first)
		e.Uint64(s.last)
	}
	e.Uint8(uint8(len(p.found)))
	for _, f := range p.found {
		e.Uint8(f.place)
		e.Uint8(uint8(f.what))
		if f.what != ended {
			e.Fixed(f.epoch[:])
		}
		if f.what&^due == crowded {
			e.Uint32(uint32(f.maker))
		}
	}
}

func decodeProgress(d *state.Decoder, commits uint8) (p progress, err error) {
	for _, s := range []*span{&p.held, &p.led} {
		if s.first, s.last = d.Uint64(), d.Uint64(); !s.valid() {
			return progress{}, wire.ErrMalformed
		}
	}
	for k := range int(d.Uint8()) {
		f := finding{place: d.Uint8(), what: outcome(d.Uint8())}
		if f.what != ended {
			d.Into(f.epoch[:])
		}
		if f.what&^due == crowded {
			f.maker = dkg.Index(d.Uint32())
		}
		if err := d.Err(); err != nil {
			return progress{}, err
		}
		if f.place >= commits || f.what&^due > crowded || f.what&due != 0 && !f.what.waits() || k > 0 && p.found[k-1].place >= f.place {
			return progress{}, wire.ErrMalformed
		}
		p.found = append(p.found, f)
	}
	return p, d.Err()
}
