package ratchet

import (
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// announcements are what the next messages of a member say beside their text (§7, flags): its own introduction, its inbox key,
// the counter of its request that was answered, whom it let in, which requests it answered, and what of its statements is to be
// said again. It is changed by what gives a member something to say, and by the messages that say it.
type announcements struct {
	begun []begun

	// update is the newest inbox key as it is announced. It goes with the first messages in updateIn, or with those of the next
	// own epoch if updateDue.
	update    proto.Update
	updateIn  proto.EpochID
	updateDue bool
	updatedAt millis // pruning clock

	// answered is the counter of the own request that was answered, and answeredLeft in how many messages it is still to be said.
	answered     uint64
	answeredLeft uint8

	introduce []proto.Maker // whom this member let in, and did not introduce yet
	shown     []shownRequest

	recent []recent // own statements that a joiner may lack
}

// begun is the first epoch that this member made in a root: all messages in it carry its introduction.
type begun struct{ root, epoch proto.EpochID }

// shownRequest is a request that this member answered and shows to all in its next messages (D68).
type shownRequest struct {
	proto.ShownRequest
	left uint8  // messages that are still to say it
	due  millis // wall clock: when one is to be sent for it
}

const (
	// sayings is in how many messages a thing is said that is said once: the first of an epoch, or the next ones.
	sayings = 4
	// updateEvery is how often an inbox key is announced anew.
	updateEvery = 7 * day
	// maxBegun, maxIntroduce and maxShown bound what waits to be said: roots held, and requests answered between two messages,
	// of which a program that sends when it is due has few. What is beyond is said by other members.
	maxBegun     = 64
	maxIntroduce = 256
	maxShown     = 64
)

// Encode implements state.Piece.
func (a announcements) Encode(e *state.Encoder) {
	e.Uint32(uint32(len(a.begun)))
	for _, b := range a.begun {
		e.Fixed(b.root[:])
		e.Fixed(b.epoch[:])
	}
	e.Bytes(a.update.Encode())
	e.Fixed(a.updateIn[:])
	e.Bool(a.updateDue)
	e.Int64(a.updatedAt)
	e.Uint64(a.answered)
	e.Uint8(a.answeredLeft)
	e.Uint32(uint32(len(a.introduce)))
	for _, m := range a.introduce {
		e.Uint32(uint32(m.Index))
		e.Bytes(m.Key.Bytes())
	}
	e.Uint32(uint32(len(a.shown)))
	for _, s := range a.shown {
		e.Bytes(s.ShownRequest.Encode())
		e.Uint8(s.left)
		e.Int64(s.due)
	}
	e.Uint32(uint32(len(a.recent)))
	for _, r := range a.recent {
		r.encode(e)
	}
}

// Decode implements state.Piece.
func (announcements) Decode(d *state.Decoder) (a announcements, err error) {
	for range d.Count(maxBegun, 64) {
		var b begun
		d.Into(b.root[:])
		d.Into(b.epoch[:])
		a.begun = append(a.begun, b)
	}
	load(d, &err, &a.update, proto.MaxIntroduction, func(b []byte) (proto.Update, error) {
		if len(b) == 0 {
			return proto.Update{}, nil
		}
		return proto.ParseUpdate(b)
	})
	d.Into(a.updateIn[:])
	a.updateDue, a.updatedAt = d.Bool(), d.Int64()
	if a.answered, a.answeredLeft = d.Uint64(), d.Uint8(); a.answeredLeft > sayings {
		err = wire.ErrMalformed
	}
	for range d.Count(maxIntroduce, 8) {
		m := proto.Maker{Index: dkg.Index(d.Uint32())}
		load(d, &err, &m.Key, suite.MaxPublicKey, suite.LoadPublicKey)
		a.introduce = append(a.introduce, m)
	}
	for range d.Count(maxShown, 16) {
		var s shownRequest
		load(d, &err, &s.ShownRequest, 1<<10, proto.ParseShownRequest)
		s.left, s.due = d.Uint8(), d.Int64()
		if s.left == 0 || s.left > sayings {
			err = wire.ErrMalformed
		}
		a.shown = append(a.shown, s)
	}
	for range d.Count(maxRecent, 32) {
		a.recent = append(a.recent, decodeRecent(d))
	}
	if err == nil {
		err = d.Err()
	}
	if err != nil {
		return announcements{}, err
	}
	return a, nil
}

// committed returns the announcements after an own commit from which messages will be sent: what is said with the first messages
// of an epoch is said in this one.
func (a announcements) committed(root, epoch proto.EpochID) announcements {
	if !slices.ContainsFunc(a.begun, func(b begun) bool { return b.root == root }) {
		a.begun = append(slices.Clip(a.begun), begun{root, epoch})
		a.begun = a.begun[max(0, len(a.begun)-maxBegun):]
	}
	if a.updateDue {
		a.updateDue, a.updateIn = false, epoch
	}
	return a
}

// introduces reports whether message n in an epoch carries the introduction of a member that the root does not list.
func (a announcements) introduces(root, epoch proto.EpochID, n uint32) bool {
	return n == 0 || slices.Contains(a.begun, begun{root, epoch})
}

// addTo puts what must be said into message n of an epoch.
func (a announcements) addTo(inner proto.Inner, epoch proto.EpochID, n uint32) proto.Inner {
	if n < sayings && a.updateIn == epoch {
		inner.Update = a.update
	}
	return inner
}

// addShown puts requests that are to be shown into a message: of twins one.
func (a announcements) addShown(inner proto.Inner) proto.Inner {
	for _, s := range a.shown {
		at, twin := slices.BinarySearchFunc(inner.Shown, s.Index, func(o proto.ShownRequest, i dkg.Index) int { return cmp.Compare(o.Index, i) })
		if !twin && len(inner.Shown) < proto.MaxShown {
			inner.Shown = slices.Insert(inner.Shown, at, s.ShownRequest)
		}
	}
	return inner
}

// said returns the announcements after a message was sent.
func (a announcements) said(inner proto.Inner) announcements {
	if inner.Answered > 0 && inner.Answered == a.answered && a.answeredLeft > 0 {
		a.answeredLeft--
	}
	a.introduce = slices.DeleteFunc(slices.Clone(a.introduce), func(m proto.Maker) bool {
		return slices.ContainsFunc(inner.Introduced, func(i proto.Introduction) bool {
			return m == proto.Maker{Index: i.Index(), Key: i.Credential.Key()}
		})
	})
	var shown []shownRequest
	for _, s := range a.shown {
		if slices.ContainsFunc(inner.Shown, func(o proto.ShownRequest) bool { return o.Request == s.Request }) {
			s.left--
		}
		if s.left > 0 {
			shown = append(shown, s)
		}
	}
	a.shown = shown
	return a
}
