package ceremony

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/dkg/internal/poly"
	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/state"
)

// done is the phase after the last round.
const done = Accusation

// Run is one party's side of one attempt of a ceremony. It is an immutable value and safe to share: Receive returns the
// next one. It shows nothing when printed. The zero Run is none.
//
// A Run is a state.Part. Store it, then send its Messages; a message that was sent by a run that was not stored is the
// one way for an honest party to be blamed, for saying two things in one round.
type Run struct {
	_     [0]func()
	setup Setup
	self  threshold.Index
	phase Round // whose messages are waited for
	// split: a Deal names other Joins than those held here, so that somebody showed two.
	split bool

	identity secret.Bytes    // the seed of the signing key
	boxSeed  secret.Bytes    // of the box keys, until every box is open
	dealt    poly.Polynomial // of a dealer, until its shares are dealt and summed up
	held     ed448.Scalar    // the share of a helper, in a repair
	value    ed448.Scalar    // the sum of what was dealt to this party, then the share

	key      threshold.Key // that comes out, from round 3 on
	messages map[slot]state.Segment[message]
	blamed   []*BlameError
	accused  []accusation // by this party

	committed []byte // commitments to dealt, nil if they have to be computed
}

// accusation is an own message that has no place in a round; it was said after so many that have.
type accusation struct {
	message
	after int
}

// slot is where a message has its place.
type slot struct {
	round Round
	maker threshold.Index
}

// Begin draws what a party deals and returns its run, in which it has joined. Identity is the private half of the key that
// the setup has for it. A dealer of a key that exists gives its share; others give the zero Share. It returns ErrSetup if no
// party of the setup has that key, or if the share is not what its part in the ceremony asks for.
func Begin(s Setup, identity ed25519.PrivateKey, share threshold.Share) (Run, error) {
	if s.setup == nil || len(identity) != ed25519.PrivateKeySize {
		return Run{}, fmt.Errorf("%w: no setup, or a private key that is not %d bytes", ErrSetup, ed25519.PrivateKeySize)
	}
	r := edit{Run{setup: s, phase: Join, messages: make(map[slot]state.Segment[message])}}
	r.identity, r.boxSeed = secret.New(identity.Seed()), secret.Random(32)
	public := r.signer().Public().(ed25519.PublicKey)
	at := slices.IndexFunc(s.members, func(m member) bool { return m.Key.Equal(public) })
	if at < 0 {
		return Run{}, fmt.Errorf("%w: no party has this key", ErrSetup)
	}
	r.self = s.members[at].Index
	if s.is(r.self, deals) {
		constant := ed448.RandomScalar()
		if s.kind != generation {
			if share.Index() != r.self || !share.Key().Equal(s.old) {
				return Run{}, fmt.Errorf("%w: party %d deals without its share of the key", ErrSetup, r.self)
			}
			if s.kind == resharing {
				constant = formulas{s}.lambda(0, r.self).Mul(share.Scalar())
			} else {
				r.held = share.Scalar()
			}
		}
		r.dealt = poly.New(constant, s.coefficients())
		r.committed = affine(r.dealt.Commitments())
	}
	r.say(Join, r.join())
	r.advance()
	return r.Run, nil
}

// Setup returns the setup of the ceremony.
func (r Run) Setup() Setup { return r.setup }

// Self returns the index of the party whose run it is.
func (r Run) Self() threshold.Index { return r.self }

// Messages returns everything that this party has said so far, to be sent to all others, in order. A later run of the
// ceremony returns the same bytes and what it added. They are public.
func (r Run) Messages() (out [][]byte) {
	if r.IsZero() {
		return nil
	}
	said := 0
	add := func(m message) { out = append(out, m.bytes(r.setup)) }
	accusations := func() {
		for _, a := range r.accused {
			if a.after == said {
				add(a.message)
			}
		}
	}
	for round := Join; round < Accusation; round++ {
		if m, ok := r.get(round, r.self); ok {
			add(m)
			said++
			accusations()
		}
	}
	return out
}

// Held returns every message of the rounds that this party holds, its own and others', to be passed on to whoever lacks
// some: a party that finished can so make every other one finish.
func (r Run) Held() (out [][]byte) {
	if r.IsZero() {
		return nil
	}
	for round := Join; round < Accusation; round++ {
		for _, i := range r.setup.speakers(round) {
			if m, ok := r.get(round, i); ok {
				out = append(out, m.bytes(r.setup))
			}
		}
	}
	return out
}

// Waiting returns the round that the run waits for, and whose messages of it are missing.
func (r Run) Waiting() (Round, []threshold.Index) {
	if r.IsZero() || r.phase == done {
		return r.phase, nil
	}
	return r.phase, slices.DeleteFunc(slices.Clone(r.setup.speakers(r.phase)), func(i threshold.Index) bool {
		_, ok := r.get(r.phase, i)
		return ok
	})
}

// Blamed returns who cheated, as far as this party can prove it.
func (r Run) Blamed() (out []*BlameError) {
	for _, b := range r.blamed {
		c := *b
		c.Evidence = slices.Clone(b.Evidence)
		out = append(out, &c)
	}
	return out
}

// Result is what a ceremony gave a party.
type Result struct {
	// Key is the key, with the digest of the transcript.
	Key threshold.Key
	// Share is this party's share, the zero Share if it holds none: of a dealer that does not receive. In a repair a
	// helper keeps the share that it has, which is not here.
	Share threshold.Share
}

// Result returns what came out. It returns ErrUnfinished if messages are missing, and ErrStopped, with a *BlameError for
// everybody who is known to have cheated, if the attempt does not finish by itself. If this party has said its Echo, somebody
// else may have finished: keep the run, and the old share, until the next attempt is over (docs/design/dkg.md, section 6).
func (r Run) Result() (Result, error) {
	if r.IsZero() {
		return Result{}, ErrUnfinished
	}
	if r.phase == done {
		out := Result{Key: r.key}
		if !r.value.IsZero() {
			var err error
			if out.Share, err = threshold.NewShare(r.key, r.self, r.value); err != nil {
				return Result{}, err
			}
		}
		return out, nil
	}
	_, missing := r.Waiting()
	if len(r.blamed) == 0 && len(missing) > 0 {
		return Result{}, fmt.Errorf("%w: round %v of %v", ErrUnfinished, r.phase, missing)
	}
	errs := []error{ErrStopped}
	for _, b := range r.Blamed() {
		errs = append(errs, b)
	}
	return Result{}, errors.Join(errs...)
}

// Receive returns the run that has taken in a message: one of any round, from anybody. What was known already changes
// nothing. It returns ErrMessage for what is no signed message of this ceremony, and ErrStale for one that this party
// signed and the run has not said, so that the run is an old copy; then the run is the one it was called on. Messages
// that prove their maker to have cheated are no error: Result and Blamed tell.
func (r Run) Receive(b []byte) (Run, error) {
	if r.IsZero() {
		return r, fmt.Errorf("%w: no run", ErrMessage)
	}
	m, err := readMessage(r.setup, b)
	if err != nil {
		return r, err
	}
	if old, ok := r.get(m.round, m.maker); ok && old.digest == m.digest || r.phase == done {
		return r, nil
	}
	if !m.verify(r.setup) {
		return r, fmt.Errorf("%w: not signed by party %d", ErrMessage, m.maker)
	}
	if m.maker == r.self {
		if m.round == Accusation {
			return r, nil
		}
		return r, fmt.Errorf("%w: this party said more than the run knows of", ErrStale)
	}
	next := r.edit()
	next.take(m)
	return next.Run, nil
}

func (r Run) isBlamed(i threshold.Index) bool {
	return slices.ContainsFunc(r.blamed, func(b *BlameError) bool { return b.Participant == i })
}

func (r Run) get(round Round, maker threshold.Index) (message, bool) {
	m, ok := r.messages[slot{round, maker}]
	return m.Value(), ok
}

// all returns the messages of a round by those who speak in it, which must be complete.
func (r Run) all(round Round) (out []message) {
	for _, i := range r.setup.speakers(round) {
		m, _ := r.get(round, i)
		out = append(out, m)
	}
	return out
}
