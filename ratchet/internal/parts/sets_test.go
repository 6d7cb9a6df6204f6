package parts_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/ratchet/internal/parts"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// device keeps sets, and the frames that a vault would retain.
type device struct {
	sets     parts.Sets
	retained map[parts.FrameName][]byte
	wholes   [][]byte
}

func newDevice() *device { return &device{retained: map[parts.FrameName][]byte{}} }

// receive reads a frame that came from a source, and then, as long as there is progress, those that are retained.
func (d *device) receive(t require.TestingT, name parts.FrameName, frame []byte) {
	retry := d.read(t, name, frame)
	for len(retry) > 0 {
		n := retry[0]
		retry = retry[1:]
		if f, ok := d.retained[n]; ok {
			retry = append(retry, d.read(t, n, f)...)
		}
	}
}

func (d *device) read(t require.TestingT, name parts.FrameName, frame []byte) (retry []parts.FrameName) {
	p, err := proto.ParsePart(frame)
	require.NoError(t, err)
	before := d.sets
	next, got, err := d.sets.Add(name, p)
	if errors.Is(err, parts.ErrStale) {
		require.Equal(t, before, next)
	}
	d.sets = next
	d.retained[name] = frame
	if err != nil || got.Taken {
		delete(d.retained, name)
	}
	for _, n := range got.Forget {
		delete(d.retained, n)
	}
	if got.Whole != nil {
		d.wholes = append(d.wholes, got.Whole)
		return d.names() // copies of its parts are of no use any more
	}
	return got.Retry
}

// names returns the names of the retained frames, in ascending order.
func (d *device) names() []parts.FrameName {
	return slices.SortedFunc(maps.Keys(d.retained), func(a, b parts.FrameName) int { return bytes.Compare(a[:], b[:]) })
}

// nameOf names a frame that came from a source.
func nameOf(source string, frame []byte) parts.FrameName {
	return sha256.Sum256(append([]byte(source+":"), frame...))
}

// giveUp lets the vault give a frame up.
func (d *device) giveUp(t require.TestingT, n parts.FrameName) {
	delete(d.retained, n)
	var again bool
	if d.sets, again = d.sets.Forget(n); !again {
		return
	}
	for _, n := range d.names() {
		if f, ok := d.retained[n]; ok {
			d.receive(t, n, f)
		}
	}
}

func frames(t require.TestingT, n proto.Name, whole []byte, maxFrame int) (out [][]byte) {
	all, err := proto.Split(proto.TypeTicket, n, whole, maxFrame)
	require.NoError(t, err)
	for _, p := range all {
		f := p.Frame()
		require.LessOrEqual(t, len(f), maxFrame)
		out = append(out, f)
	}
	return out
}

// Whatever is lost, repeated or reordered, and whenever the device restarts or the vault gives a frame up: sets come out whole once
// each, when all their parts were delivered often enough, and never mixed.
func TestSetsComeOutWhole(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 7))
		d := newDevice()
		wholes := map[string]bool{}
		type sent struct {
			source string
			frame  []byte
		}
		var all []sent
		for range 1 + rng.IntN(4) {
			whole := make([]byte, 2000+rng.IntN(4000))
			for k := range whole {
				whole[k] = byte(rng.Uint32())
			}
			wholes[string(whole)] = true
			for _, f := range frames(rt, proto.Name{byte(rng.IntN(2))}, whole, 900+rng.IntN(900)) {
				for range 1 + rng.IntN(2) {
					all = append(all, sent{[]string{"", "m"}[rng.IntN(2)], f})
				}
			}
		}
		for range 3 { // a relay gives again what was not acknowledged
			rng.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
			for _, s := range all {
				d.receive(rt, nameOf(s.source, s.frame), s.frame)
				switch rng.IntN(12) {
				case 0:
					if names := d.names(); len(names) > 0 {
						d.giveUp(rt, names[rng.IntN(len(names))])
					}
				case 1:
					d.sets = reload(rt, d.sets)
				}
			}
		}
		for _, s := range all {
			d.receive(rt, nameOf(s.source, s.frame), s.frame)
		}
		require.Len(rt, d.wholes, len(wholes))
		for _, w := range d.wholes {
			require.True(rt, wholes[string(w)])
		}
		require.Zero(rt, d.sets.Size())
		require.Empty(rt, d.retained)
	})
}

// Of one name 16 sets are collected. A flood of others gives the oldest up, whose frames are forgotten and not acknowledged: they come
// again. Sets of other names are left alone.
func TestSetsOfOneNameAreBounded(t *testing.T) {
	d := newDevice()
	honest := frames(t, proto.Name{1}, bytes.Repeat([]byte("honest"), 100), 400)
	d.receive(t, nameOf("", honest[0]), honest[0])
	other := frames(t, proto.Name{2}, bytes.Repeat([]byte("other"), 100), 400)
	d.receive(t, nameOf("", other[0]), other[0])
	for k := range 40 {
		d.receive(t, nameOf("x", frames(t, proto.Name{1}, bytes.Repeat([]byte{byte(k)}, 600), 400)[0]), frames(t, proto.Name{1}, bytes.Repeat([]byte{byte(k)}, 600), 400)[0])
		require.LessOrEqual(t, d.sets.Size(), 16+1)
		require.Len(t, d.retained, d.sets.Size())
	}
	for _, f := range other[1:] {
		d.receive(t, nameOf("", f), f)
	}
	require.Len(t, d.wholes, 1)
	for range 2 {
		for _, f := range honest {
			d.receive(t, nameOf("", f), f)
		}
	}
	require.Len(t, d.wholes, 2)
	require.Equal(t, bytes.Repeat([]byte("honest"), 100), d.wholes[1])
}

// A set that is longer than any whole is refused for good, and so are the parts of it that were retained.
func TestSetsAreBoundedInBytes(t *testing.T) {
	d := newDevice()
	all := frames(t, proto.Name{1}, make([]byte, proto.MaxTicketBody+200<<10), 1<<20)
	for _, f := range all {
		d.receive(t, nameOf("", f), f)
	}
	require.Empty(t, d.wholes)
	require.Empty(t, d.retained)
	require.Zero(t, d.sets.Size())
}

// Sets whose ticket key is gone go with it.
func TestSetsOfARequestThatIsOver(t *testing.T) {
	d := newDevice()
	d.receive(t, nameOf("", frames(t, proto.Name{1}, make([]byte, 600), 400)[0]), frames(t, proto.Name{1}, make([]byte, 600), 400)[0])
	for _, n := range []byte{1, 2} {
		sets, again := d.sets.Keep(func(o proto.Name) bool { return o == proto.Name{n} })
		require.Equal(t, int(2-n), sets.Size())
		require.Len(t, again, 1-sets.Size())
	}
}

// part is Sets as the part of a stored value.
type part struct{ parts.Sets }

func (p part) Encode(e *state.Encoder) { p.Sets.Encode(e) }
func (part) Decode(d *state.Decoder) (p part, err error) {
	p.Sets, err = p.Sets.Decode(d)
	return p, err
}
func (part) Succeeds(part) error { return nil }

// reload takes sets through a vault.
func reload(t require.TestingT, s parts.Sets) parts.Sets {
	v, err := state.NewOne(state.ID{1}, part{s})
	require.NoError(t, err)
	key, err := state.NewKey(make([]byte, 32))
	require.NoError(t, err)
	backend := store.NewMemory()
	open := func() *state.Vault[state.One[part]] {
		w, err := state.Open[state.One[part]](context.Background(), backend, key, state.Options{})
		require.NoError(t, err)
		return w
	}
	require.NoError(t, open().Create(context.Background(), v, nil))
	got, err := open().Load(context.Background(), state.ID{1})
	require.NoError(t, err)
	require.True(t, got.Equal(v))
	return got.Part().Sets
}
