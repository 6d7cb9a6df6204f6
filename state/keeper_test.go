package state_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// notes is a Keeper: it remembers the retained frames in the order in which they came.
type notes struct{ frames [][32]byte }

func (n notes) Encode(e *state.Encoder) {
	e.Version(toyVersion)
	e.Uint32(uint32(len(n.frames)))
	for _, f := range n.frames {
		e.Fixed(f[:])
	}
}

func (notes) Decode(d *state.Decoder) (n notes, err error) {
	d.Version(toyVersion, toyVersion)
	n.frames = make([][32]byte, d.Count(1000, 32))
	for i := range n.frames {
		copy(n.frames[i][:], d.Fixed(32))
	}
	return n, nil
}

func (notes) Succeeds(notes) error { return nil }

// Forget implements state.Keeper.
func (n notes) Forget(frames ...[32]byte) notes {
	return notes{slices.DeleteFunc(slices.Clone(n.frames), func(f [32]byte) bool { return slices.Contains(frames, f) })}
}

type diary = state.One[notes]

// noting retains every frame and notes it.
func noting(tx *state.Tx[diary], f state.Frame) error {
	if noted := tx.Value().Part().frames; !slices.Contains(noted, f.Hash()) {
		tx.Set(tx.Value().With(notes{append(slices.Clone(noted), f.Hash())}))
	}
	return errNotYet
}

// diaries is a vault of one diary.
type diaries struct {
	testing.TB
	*state.Vault[diary]
	backend *damaging
	events  []state.Event
}

func newDiaries(t testing.TB, o state.Options) *diaries {
	d := &diaries{TB: t, backend: &damaging{Store: store.NewMemory()}}
	o.Events = func(_ state.ID, e state.Event) { d.events = append(d.events, e) }
	o.ForgetEvery = -1
	v, err := state.Open[diary](context.Background(), d.backend, testKey(t, 1), o)
	require.NoError(t, err)
	d.Vault = v
	first, err := state.NewOne(id(1), notes{})
	require.NoError(t, err)
	require.NoError(t, v.Create(context.Background(), first, nil))
	return d
}

// retained returns the retained frames, of which the value must have noted the same.
func (d *diaries) retained() (out [][32]byte) {
	d.Helper()
	row, err := d.backend.Load(context.Background(), store.Sessions, id(1))
	require.NoError(d, err)
	for _, f := range row.Retained {
		out = append(out, f.Hash)
	}
	s, err := d.Load(context.Background(), id(1))
	require.NoError(d, err)
	require.ElementsMatch(d, out, s.Part().frames, "the value knows what is retained")
	return out
}

func (d *diaries) receive(open state.Opener[diary], frames ...state.Frame) []state.Receipt {
	d.Helper()
	r, err := d.ReceiveAll(context.Background(), id(1), frames, open)
	require.NoError(d, err)
	return r
}

// G29: when the vault gives retained frames up, for whatever reason, the value is told in the same commit, and nothing is
// acknowledged. A value that decides itself is not bounded by source nor in time.
func TestG29GivenUpIsTold(t *testing.T) {
	now := time.UnixMilli(1_795_000_000_000)
	d := newDiaries(t, state.Options{
		Retained: 3, RetainedBytes: 100, RetainedSource: 1, RetainedFor: time.Hour, Now: func() time.Time { return now },
	})
	for n := range 5 {
		require.Equal(t, state.Receipt{Verdict: state.Retain, Reason: errNotYet}, d.receive(noting, frame(n))[0])
		now = now.Add(2 * time.Hour)
	}
	require.Equal(t, [][32]byte{hash(2), hash(3), hash(4)}, d.retained())
	require.Contains(t, d.events, state.Event(state.FrameGivenUp{Hash: hash(0), Reason: state.ErrNoRoom}))
	_, err := d.Retry(t.Context(), id(1), noting)
	require.NoError(t, err)
	require.Len(t, d.retained(), 3, "the time is the value's business")

	long := state.Frame{Data: bytes.Repeat([]byte{1}, 101)}
	require.Equal(t, state.Retain, d.receive(noting, long)[0].Verdict)
	require.Len(t, d.retained(), 3)
	require.Contains(t, d.events, state.Event(state.FrameGivenUp{Hash: long.Hash(), Reason: state.ErrNoRoom}))

	d.receive(noting, frame(6), frame(7), frame(8), frame(9), frame(6)) // the first goes, and comes again, in one commit
	require.Equal(t, [][32]byte{hash(8), hash(9), hash(6)}, d.retained())

	d.backend.hash = hash(9)
	require.NoError(t, d.DiscardDamaged(t.Context(), id(1)))
	require.Equal(t, [][32]byte{hash(8), hash(6)}, d.retained())
	require.Equal(t, errNotYet, d.receive(noting, frame(9))[0].Reason, "the relay gives it again")
}

// damaging is a store in which the record of one frame is damaged.
type damaging struct {
	store.Store
	hash [32]byte
}

func (d *damaging) Frames(ctx context.Context, k store.Kind, id store.ID, hashes ...[32]byte) ([]store.FrameRecord, error) {
	records, err := d.Store.Frames(ctx, k, id, hashes...)
	for _, r := range records {
		if r.Hash == d.hash {
			r.Data[len(r.Data)/2] ^= 1
		}
	}
	return records, err
}

// G29: what an opener gives up because of a bound comes again, also the frame that it was given; what it discards is done with
// and may be acknowledged.
func TestG29OpenerGivesUp(t *testing.T) {
	d := newDiaries(t, state.Options{})
	errBound := state.NewOutcome(state.Retain, "toy: bound")
	giving := func(reason error, gone ...int) state.Opener[diary] {
		return func(tx *state.Tx[diary], f state.Frame) error {
			err := noting(tx, f)
			for _, n := range gone {
				tx.Set(tx.Value().With(tx.Value().Part().Forget(hash(n))))
				tx.GiveUp(reason, hash(n))
			}
			return err
		}
	}
	d.receive(noting, frame(1), frame(2), frame(3), frame(4))
	require.Equal(t, state.Receipt{Verdict: state.Retain, Reason: errNotYet}, d.receive(giving(errBound, 1, 9), frame(5))[0])
	require.Equal(t, [][32]byte{hash(2), hash(3), hash(4), hash(5)}, d.retained())
	require.Equal(t, errNotYet, d.receive(giving(errBound, 6), frame(6))[0].Reason, "it gives up what it was given")
	require.Equal(t, errNotYet, d.receive(giving(errBound, 6), frame(6))[0].Reason, "which is unknown afterwards")
	r := d.receive(giving(errRubbish, 2, 3), frame(7))[0]
	require.Equal(t, state.Receipt{Verdict: state.Retain, Reason: errNotYet, Acknowledge: [][32]byte{hash(2), hash(3)}}, r)
	require.Equal(t, [][32]byte{hash(4), hash(5), hash(7)}, d.retained())
	require.Equal(t, state.ErrSeen, d.receive(noting, frame(2))[0].Reason)
	require.Equal(t, errNotYet, d.receive(noting, frame(1))[0].Reason)

	// In an Update: the events tell what may be acknowledged.
	d.events = nil
	require.NoError(t, d.Update(t.Context(), id(1), func(tx *state.Tx[diary]) error {
		f, err := tx.Retained(hash(4))
		require.NoError(t, err)
		require.Equal(t, frame(4), f)
		_, err = tx.Retained(hash(9))
		require.ErrorIs(t, err, state.ErrNotFound)
		tx.Set(tx.Value().With(tx.Value().Part().Forget(hash(4), hash(5))))
		tx.GiveUp(errBound, hash(4))
		tx.GiveUp(errRubbish, hash(5), hash(8))
		return nil
	}))
	require.Equal(t, []state.Event{
		state.FrameGivenUp{Hash: hash(4), Reason: errBound}, state.FrameUnread{Hash: hash(5), Verdict: state.Discard, Reason: errRubbish},
	}, d.events)
	require.Equal(t, [][32]byte{hash(7), hash(1)}, d.retained())
	require.Equal(t, []error{errNotYet, state.ErrSeen}, []error{d.receive(noting, frame(4))[0].Reason, d.receive(noting, frame(5))[0].Reason})

	d.receive(noting, frame(30))
	require.NoError(t, d.Update(t.Context(), id(1), func(tx *state.Tx[diary]) error {
		tx.Set(tx.Value().With(tx.Value().Part().Forget(hash(30))))
		tx.GiveUp(errBound, hash(30))
		return nil
	}))
	// What was given up is not tried again, nor missed.
	var tried [][32]byte
	d.events = nil
	require.NoError(t, d.Update(t.Context(), id(1), func(tx *state.Tx[diary]) error {
		tx.RetryRetained()
		return nil
	}))
	_, err := d.Retry(t.Context(), id(1), func(_ *state.Tx[diary], f state.Frame) error {
		tried = append(tried, f.Hash())
		return errNotYet
	})
	require.NoError(t, err)
	require.Equal(t, [][32]byte{hash(7), hash(1), hash(4)}, tried)
	require.Empty(t, d.events)

	// An error, or Stop, gives nothing up.
	require.Error(t, d.Update(t.Context(), id(1), func(tx *state.Tx[diary]) error {
		tx.GiveUp(errBound, hash(7))
		return errBroken
	}))
	r = d.receive(func(tx *state.Tx[diary], f state.Frame) error {
		tx.GiveUp(errBound, hash(7))
		return errBroken
	}, frame(20))[0]
	require.Equal(t, state.Stop, r.Verdict)
	require.Equal(t, [][32]byte{hash(7), hash(1), hash(4)}, d.retained())
}

// Values and vault agree on what is retained whatever comes, in batches of whatever size, in whatever vault.
func TestKeeperAgreesWithVault(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := newDiaries(t, state.Options{Retained: rapid.IntRange(1, 6).Draw(rt, "bound")})
		done := make(map[[32]byte]bool)
		open := func(tx *state.Tx[diary], f state.Frame) error {
			if f.Data[0]%5 == 4 { // reads, and gives up what came first
				if frames := tx.Value().Part().frames; len(frames) > 0 {
					tx.Set(tx.Value().With(notes{frames[1:]}))
					tx.GiveUp([]error{errNotYet, errRubbish}[f.Data[0]%2], frames[0])
				}
				return nil
			}
			return noting(tx, f)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"receive": func(rt *rapid.T) {
				var frames []state.Frame
				for _, b := range rapid.SliceOfN(rapid.ByteRange(0, 19), 1, 9).Draw(rt, "frames") {
					frames = append(frames, state.Frame{Source: fmt.Sprint(b % 2), Data: []byte{b}})
				}
				for i, r := range d.receive(open, frames...) {
					for _, h := range r.Acknowledge {
						done[h] = true
					}
					if r.Verdict != state.Retain {
						done[frames[i].Hash()] = true
					} else {
						require.False(t, done[frames[i].Hash()], "what is done with stays so")
					}
				}
			},
			"": func(*rapid.T) {
				for _, h := range d.retained() {
					require.False(t, done[h], "what is acknowledged is not retained")
				}
			},
		})
	})
}

// Of the retained frames those are tried again that were named, in a new vault all.
func TestRetryOfNamedFrames(t *testing.T) {
	d := newDiaries(t, state.Options{})
	d.receive(noting, frame(1), frame(2), frame(3), frame(4))
	var tried []string
	open := func(tx *state.Tx[diary], f state.Frame) error {
		tried = append(tried, string(f.Data))
		switch string(f.Data) {
		case "0": // makes 2 readable
			tx.RetryRetained(hash(2), hash(9))
		case "2": // is read, and makes 4 readable
			tx.RetryRetained(hash(4))
		default:
			return errNotYet
		}
		return nil
	}
	require.Equal(t, [][32]byte{hash(2)}, d.receive(open, frame(0))[0].Acknowledge)
	require.Equal(t, []string{"0", "2", "4"}, tried)

	again := func(frames ...[32]byte) {
		tried = nil
		require.NoError(t, d.Update(t.Context(), id(1), func(tx *state.Tx[diary]) error {
			tx.RetryRetained(frames...)
			return nil
		}))
	}
	retry := func(v *state.Vault[diary]) []string {
		for range 2 { // the second time there is nothing to try
			_, err := v.Retry(t.Context(), id(1), open)
			require.NoError(t, err)
		}
		return tried
	}
	again(hash(1))
	require.Equal(t, []string{"1"}, retry(d.Vault))
	again(hash(9))
	require.Empty(t, retry(d.Vault), "it is not retained")
	again(hash(3))
	again(hash(1))
	require.Equal(t, []string{"1", "3"}, retry(d.Vault))
	again()
	again(hash(1))
	require.Equal(t, []string{"1", "3", "4"}, retry(d.Vault))
	again(hash(1))
	other, err := state.Open[diary](t.Context(), d.backend, testKey(t, 1), state.Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"1", "3", "4"}, retry(other))
}
