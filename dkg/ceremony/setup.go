package ceremony

import (
	"cmp"
	"crypto/ed25519"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/internal/wire"
)

// MaxContext is the size of the longest context in bytes: names and digests fit, documents do not.
const MaxContext = 1024

const setupVersion = 1

type kind uint8

const (
	generation kind = 1 + iota
	resharing
	repair
)

type role uint8

const (
	deals role = 1 << iota
	receives
)

// Party is who takes part: its index and the Ed25519 key with which it signs what it says. A key for one ceremony serves
// as well as a long-term one.
type Party struct {
	Index threshold.Index
	Key   ed25519.PublicKey
}

type member struct {
	Party
	role
}

// Setup is what all parties of a ceremony agree on beforehand. It is an immutable value. The zero Setup is none, and is
// refused everywhere.
type Setup struct{ *setup }

type setup struct {
	kind      kind
	attempt   uint16
	context   []byte
	threshold int             // of the key that comes out
	lost      threshold.Index // of a repair, else 0
	members   []member        // ascending
	old       threshold.Key   // zero in a generation

	id                 digest
	dealers, receivers []threshold.Index
}

// NewGeneration returns the setup of a new key, of which any t of the parties can sign, 2 ≤ t ≤ len(parties) ≤ 255.
// Context is the application's, up to MaxContext bytes: parties with different contexts do not make a key. It returns
// ErrSetup for terms that cannot be.
func NewGeneration(context []byte, t int, parties []Party) (Setup, error) {
	return newSetup(setup{kind: generation, context: context, threshold: t}, parties, parties)
}

// NewRefresh returns the setup for new shares of a key for the same holders, who all take part. The old shares are worth
// nothing once fewer than t are left of them.
func NewRefresh(context []byte, k threshold.Key, holders []Party) (Setup, error) {
	s, err := NewResharing(context, k, k.Threshold(), holders, holders)
	if err == nil && !slices.Equal(s.receivers, k.Terms().Holders) {
		return Setup{}, fmt.Errorf("%w: not the holders of the key", ErrSetup)
	}
	return s, err
}

// NewResharing returns the setup for new shares of a key, for the receivers and with threshold t, at least 2. At least as many
// holders as the key's threshold deal; of a key that one party holds (threshold.Whole) that party alone. Whoever is among both keeps its index; a new receiver has one that no holder has.
// Whoever holds a share and does not receive is a holder no longer.
func NewResharing(context []byte, k threshold.Key, t int, dealers, receivers []Party) (Setup, error) {
	return newSetup(setup{kind: resharing, context: context, threshold: t, old: k}, dealers, receivers)
}

// NewRepair returns the setup for the share that lost has lost, with the help of holders, at least as many as the key's
// threshold. The key and all other shares stay as they are.
func NewRepair(context []byte, k threshold.Key, lost Party, helpers []Party) (Setup, error) {
	s := setup{kind: repair, context: context, threshold: k.Threshold(), old: k, lost: lost.Index}
	return newSetup(s, helpers, append(slices.Clone(helpers), lost))
}

func newSetup(s setup, dealers, receivers []Party) (Setup, error) {
	byIndex := make(map[threshold.Index]member)
	for role, list := range map[role][]Party{deals: dealers, receives: receivers} {
		for _, p := range list {
			m, ok := byIndex[p.Index]
			if ok && (m.role&role != 0 || !m.Key.Equal(p.Key)) {
				return Setup{}, fmt.Errorf("%w: party %d twice", ErrSetup, p.Index)
			}
			byIndex[p.Index] = member{Party{p.Index, slices.Clone(p.Key)}, m.role | role}
		}
	}
	for _, m := range byIndex {
		s.members = append(s.members, m)
	}
	slices.SortFunc(s.members, func(a, b member) int { return cmp.Compare(a.Index, b.Index) })
	s.context = slices.Clone(s.context)
	return s.complete()
}

// complete checks a setup and fills in what follows from it.
func (s setup) complete() (Setup, error) {
	fail := func(reason string) (Setup, error) { return Setup{}, fmt.Errorf("%w: %s", ErrSetup, reason) }
	keys := make(map[string]bool)
	for i, m := range s.members {
		switch {
		case m.Index == 0, i > 0 && m.Index <= s.members[i-1].Index:
			return fail("an index is 0 or occurs twice")
		case len(m.Key) != ed25519.PublicKeySize, keys[string(m.Key)]:
			return fail("a key has not 32 bytes or is that of two parties")
		case s.kind != resharing && m.role != deals|receives && m.Index != s.lost, m.role == 0 || m.role > deals|receives:
			return fail("a party without a part")
		case s.kind != generation && m.role&deals != 0 && !s.old.Holds(m.Index):
			return fail("a dealer holds no share of the key")
		}
		keys[string(m.Key)] = true
		if m.role&deals != 0 {
			s.dealers = append(s.dealers, m.Index)
		}
		if m.role&receives != 0 {
			s.receivers = append(s.receivers, m.Index)
		}
	}
	switch {
	case len(s.context) > MaxContext:
		return fail("context too long")
	case s.threshold < threshold.MinThreshold || s.threshold > threshold.MaxParties:
		return fail("threshold")
	case (s.kind == generation) != s.old.IsZero(), s.kind == repair && s.threshold != s.old.Threshold():
		return fail("key")
	case (s.kind == repair) != (s.lost != 0),
		s.lost != 0 && (!s.old.Holds(s.lost) || slices.Contains(s.dealers, s.lost) || !slices.Contains(s.receivers, s.lost)):
		return fail("lost share")
	case s.kind != repair && len(s.receivers) < s.threshold:
		return Setup{}, fmt.Errorf("%w: %w: %d receivers for threshold %d", ErrSetup, ErrTooFew, len(s.receivers), s.threshold)
	case s.kind != generation && len(s.dealers) < s.old.Threshold():
		return Setup{}, fmt.Errorf("%w: %w: %d dealers of a key with threshold %d", ErrSetup, ErrTooFew, len(s.dealers), s.old.Threshold())
	}
	out := Setup{&s}
	s.id = hash(labelSetup, out.Bytes())
	return out, nil
}

// Without returns the setup of the next attempt, without parties that cheated or are silent, who get no share. It returns
// ErrTooFew if those that remain cannot do what the ceremony is for, and ErrSetup for an index of nobody.
func (s Setup) Without(indices ...threshold.Index) (Setup, error) {
	if s.setup == nil {
		return Setup{}, fmt.Errorf("%w: none", ErrSetup)
	}
	next := *s.setup
	next.attempt++
	next.dealers, next.receivers = nil, nil
	for _, i := range indices {
		if s.position(i) < 0 {
			return Setup{}, fmt.Errorf("%w: no party %d", ErrSetup, i)
		}
		if i == s.lost {
			return Setup{}, fmt.Errorf("%w: nobody to repair for", ErrTooFew)
		}
	}
	next.members = slices.DeleteFunc(slices.Clone(s.members), func(m member) bool { return slices.Contains(indices, m.Index) })
	return next.complete()
}

// ID returns the digest of the setup, which is in every message.
func (s Setup) ID() [32]byte {
	if s.setup == nil {
		return digest{}
	}
	return s.id
}

// Context returns the application's context.
func (s Setup) Context() []byte {
	if s.setup == nil {
		return nil
	}
	return slices.Clone(s.context)
}

// Threshold returns the threshold of the key that comes out, 0 for the zero Setup.
func (s Setup) Threshold() int {
	if s.setup == nil {
		return 0
	}
	return s.threshold
}

// Key returns the key whose shares are made anew or repaired, the zero Key in a generation.
func (s Setup) Key() threshold.Key {
	if s.setup == nil {
		return threshold.Key{}
	}
	return s.old
}

// Dealers returns who deals, ascending, and Receivers who receives. In a repair the one that receives and does not deal
// is the one that lost its share.
func (s Setup) Dealers() []Party { return s.parties(deals) }

// Receivers returns who receives: see Dealers.
func (s Setup) Receivers() []Party { return s.parties(receives) }

func (s Setup) parties(r role) (out []Party) {
	if s.setup == nil {
		return nil
	}
	for _, m := range s.members {
		if m.role&r != 0 {
			out = append(out, Party{m.Index, slices.Clone(m.Key)})
		}
	}
	return out
}

// ParseSetup reads what Bytes returns, or returns ErrSetup. Whoever gets a setup from somebody else looks at what it says
// before beginning.
func ParseSetup(b []byte) (Setup, error) {
	r := wire.NewReader(b)
	r.Version8(setupVersion, setupVersion)
	s := setup{kind: kind(r.U8()), attempt: r.U16(), context: r.Vec16(MaxContext), threshold: int(r.U8()), lost: threshold.Index(r.U8())}
	for range r.U8() {
		i, role := threshold.Index(r.U8()), role(r.U8())
		s.members = append(s.members, member{Party{i, r.Fixed(ed25519.PublicKeySize)}, role})
	}
	old := r.Vec32(threshold.MaxKeySize)
	if s.kind < generation || s.kind > repair {
		r.Fail("kind of ceremony")
	}
	err := r.Done()
	if err == nil && len(old) > 0 {
		s.old, err = threshold.ParseKey(old)
	}
	if err != nil {
		return Setup{}, fmt.Errorf("%w: %w", ErrSetup, err)
	}
	return s.complete()
}

// Bytes returns the encoding of the setup (docs/design/dkg.md, section 3), nil for the zero Setup.
func (s Setup) Bytes() []byte {
	if s.setup == nil {
		return nil
	}
	w := wire.NewWriter(0)
	w.U8(setupVersion)
	w.U8(uint8(s.kind))
	w.U16(s.attempt)
	w.Vec16(s.context)
	w.U8(uint8(s.threshold))
	w.U8(uint8(s.lost))
	w.U8(uint8(len(s.members)))
	for _, m := range s.members {
		w.U8(uint8(m.Index))
		w.U8(uint8(m.role))
		w.Fixed(m.Key)
	}
	w.Vec32(s.old.Bytes())
	return w.Bytes()
}

// coefficients returns how many each dealer's polynomial has.
func (s Setup) coefficients() int {
	if s.kind == repair {
		return s.threshold - 1
	}
	return s.threshold
}

// position returns where party i is among the members, -1 if nowhere.
func (s Setup) position(i threshold.Index) int {
	return slices.IndexFunc(s.members, func(m member) bool { return m.Index == i })
}

func (s Setup) is(i threshold.Index, r role) bool {
	at := s.position(i)
	return at >= 0 && s.members[at].role&r != 0
}

func (s Setup) indices() []threshold.Index {
	out := make([]threshold.Index, len(s.members))
	for i, m := range s.members {
		out[i] = m.Index
	}
	return out
}

// keysOf returns for which dealers receiver i has box keys, boxesOf for which receivers dealer i has boxes in its Deal.
func (s Setup) keysOf(i threshold.Index) []threshold.Index {
	if !s.is(i, receives) {
		return nil
	}
	return without(s.dealers, i)
}

func (s Setup) boxesOf(i threshold.Index) []threshold.Index { return without(s.receivers, i, s.lost) }

func without(list []threshold.Index, drop ...threshold.Index) []threshold.Index {
	return slices.DeleteFunc(slices.Clone(list), func(i threshold.Index) bool { return slices.Contains(drop, i) })
}
