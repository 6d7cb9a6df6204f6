package epochs

import (
	"cmp"
	"errors"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// maxLead is how far an epoch of a ticket may be ahead in generations of what others say (§9, D21). Honest roots do not reach it.
const maxLead = 1 << 20

// TicketEpoch is an epoch of a ticket after the checks of §9, step 8: what proto.TicketEpoch says, what follows from it, and
// who made it.
type TicketEpoch struct {
	proto.TicketEpoch
	ID         proto.EpochID
	Root       proto.EpochID
	Place      proto.Place
	Check      proto.Check
	Credential proto.Credential // of a maker that the notice does not list
	Maker      suite.PublicKey  // zero for a root
}

// Ticket is what one member told.
type Ticket struct {
	Epochs  []TicketEpoch // the one that the issuer prefers stands first
	Issuer  dkg.Index
	Counter uint64        // of the request that it answers
	Asked   proto.EpochID // that the receiver preferred when it asked; zero for a joiner
	Holds   bool          // the issuer holds it
	Joining bool          // the receiver was let in by this request, whose ticket key is there
}

// Merge returns the forest with what a ticket told (§9). Nothing that was derived changes, and a false word drops nothing.
func (f Forest) Merge(t Ticket, own Shares, now Millis) (Forest, Change) {
	change := Change{}
	f, told := f.inReach(t, &change)
	slices.SortStableFunc(told, func(a, b TicketEpoch) int { return cmp.Compare(a.Generation, b.Generation) })
	var changed []proto.EpochID
	for _, e := range told {
		next, ok := f.mergeEpoch(e, t, own, now, &change)
		if !ok {
			continue
		}
		f = next
		changed = append(changed, e.ID)
	}
	f = f.deriveBelow(changed, own, now, &change)
	f, change = f.evict(maxEpochs, change, now)
	if f.deny(t) {
		f, change = f.leave(t, change, now)
	}
	return f, change
}

// inReach returns the epochs of a ticket that are not far ahead of everything known, and, of a joiner, the forest without what
// only tickets told that are far ahead of this one (D21).
func (f Forest) inReach(t Ticket, change *Change) (Forest, []TicketEpoch) {
	if len(t.Epochs) == 0 {
		return f, nil
	}
	first := t.Epochs[0].Generation
	limit, known := uint64(0), false
	for _, r := range f.roots {
		if held := f.catalog.of(r.ID); len(held) > 0 {
			limit, known = max(limit, held[0].generation), true
		}
	}
	if t.Joining {
		if known && f.lowest > first+maxLead {
			for e := range f.All() {
				if !e.derived && !e.issued(t.Issuer) {
					f = f.drop(e.id, unmentioned, change)
				}
			}
		}
		if !known || first < f.lowest {
			f.lowest = first
		}
		limit = f.lowest
	}
	told := slices.Clone(t.Epochs)
	if known || t.Joining {
		told = slices.DeleteFunc(told, func(e TicketEpoch) bool { return !f.Has(e.ID) && e.Generation > limit+maxLead })
	}
	return f, told
}

// mergeEpoch returns the forest after the steps of §9 for one epoch. It is not ok if nothing changed.
func (f Forest) mergeEpoch(t TicketEpoch, from Ticket, own Shares, now Millis, change *Change) (Forest, bool) {
	held, ok := f.Epoch(t.ID)
	root, known := f.Root(t.Root)
	if ok && held.derived || !known {
		return f, false
	}
	gone, wasHeld := f.gone.find(t.ID)
	if !ok && wasHeld && gone.why == aged {
		return f, false
	}
	next, err := f.deriveTicket(t, own, now, change)
	if err == nil {
		return next, true
	}
	if !ok {
		held = toldEpoch(t, root)
		above, _ := f.gone.find(t.Parent)
		held.misled = errors.Is(err, ErrMisled) || gone.misled || above.misled && !f.Has(t.Parent) && !t.IsRoot()
		if held, err = f.punctured(held); err != nil {
			return f, false
		}
		held.cut = t.Cut
	} else if !t.Cut {
		held.cut = false
	}
	closed := ok && !held.Readable()
	held.tellers = mergeIndices(held.tellers, []dkg.Index{from.Issuer})
	held.commits.told = held.commits.told.Tell(from.Issuer, from.Counter, t.CommitTree)
	if t.Readable && !wasHeld {
		held = held.withHeaderKey(t.Header)
		held.senders = held.senders.tell(from.Issuer, from.Counter, t.SenderTree, t.Chains, held.depth)
	}
	if !ok {
		return f.add(held, now, change), true
	}
	change.Changed = append(change.Changed, held.id)
	if closed && held.Readable() {
		change.Entered = append(change.Entered, held.id)
	}
	return f.remeta(held), true
}

// deriveTicket derives an epoch of a ticket whose parent is held, and enters it. Without the parent it returns ErrUnknown.
func (f Forest) deriveTicket(t TicketEpoch, own Shares, now Millis, change *Change) (Forest, error) {
	parent, ok := f.Epoch(t.Parent)
	if t.IsRoot() || !ok || t.Commit.Core.Maker == f.own {
		return f, ErrUnknown
	}
	c, err := f.deriveTold(parent, t.Root, t.shown(), t.Place, t.Maker, own)
	if err != nil {
		return f, err
	}
	return f.enter(c, now, change)
}

func (t TicketEpoch) shown() proto.Shown {
	return proto.Shown{Commit: t.Commit, Credential: t.Credential}
}

// toldEpoch returns an epoch as a ticket tells it, without its trees.
func toldEpoch(t TicketEpoch, root Root) Epoch {
	m := meta{
		id: t.ID, parent: t.Parent, root: t.Root, generation: t.Generation, depth: root.Depth, place: t.Place, check: t.Check,
		shown: t.shown(), hh: t.HeaderCheck, commitKey: t.CommitKey, auth: t.Authenticator,
	}
	if !t.IsRoot() {
		m.maker = Maker{Index: t.Commit.Core.Maker, Key: t.Maker}
	}
	if t.Readable {
		m.hh = proto.EpochKeys{Header: t.Header}.HeaderCheck(t.Place)
	}
	return Epoch{meta: m.prepare()}
}

// withHeaderKey returns the epoch with a header key, which its check has proven.
func (e Epoch) withHeaderKey(key secret.Bytes) Epoch {
	if e.Readable() {
		return e
	}
	m := *e.meta
	m.headerKey = key
	e.meta = m.prepare()
	return e
}

// deny notes that the issuer of a ticket does not hold the epoch that is preferred, and reports whether two of them say so, and
// nobody but those that told it was read in or below it (D56).
func (f *Forest) deny(t Ticket) bool {
	p, _ := f.Preferred()
	told, only := f.ToldOnly()
	asked, held := f.Epoch(t.Asked) // what the receiver made since lies below
	if t.Holds || !only || !held || !f.isAbove(told, asked.id) || !f.isAbove(asked, p.id) || told.issued(t.Issuer) {
		return false
	}
	if f.denied.epoch != told.id {
		f.denied = denial{epoch: told.id}
	}
	f.denied.issuers = mergeIndices(f.denied.issuers, []dkg.Index{t.Issuer})
	return len(f.denied.issuers) >= 2
}

// ToldOnly returns the nearest epoch at or above the preferred one that tickets told, and whether no message was read in or below it
// but of who told it. What is below it and derived proves nothing: whoever told it can write there.
func (f Forest) ToldOnly() (Epoch, bool) {
	for e := range f.Line(f.preferred) {
		if !e.derived {
			return e, !e.confirmed
		}
	}
	return Epoch{}, false
}

// ToldBy reports whether a member's ticket told the epoch.
func (e Epoch) ToldBy(i dkg.Index) bool { return e.issued(i) }

// leave returns the forest that does not prefer what only others than the deniers told of the preferred branch.
func (f Forest) leave(t Ticket, change Change, now Millis) (Forest, Change) {
	deniers := f.denied.issuers
	left := false
	for e := range f.Line(f.preferred) {
		if !e.derived && (e.confirmed || slices.ContainsFunc(deniers, e.issued)) {
			break
		}
		if !e.derived {
			e.alone, left = true, true
			f = f.put(e)
		}
	}
	if !left {
		return f, change
	}
	change.Alone = true
	return f.settle(change, now)
}
