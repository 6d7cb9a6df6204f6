package state

import (
	"iter"
	"slices"
	"sort"

	"github.com/trefoil-im/trefoil/state/store"
)

// heldFrame is a retained frame in the list of a row.
type heldFrame struct {
	store.HeldFrame
	*framing // nil: it is not known
}

// framing is what the bounds of retained frames are reckoned from. It stands in the record.
type framing struct {
	source string
	since  int64 // ms
	bytes  int
}

// heldFrames is an immutable list of retained frames, ascending by the numbers of their records. It lies in chunks, so that a
// change copies one of them and not the list. The zero value is empty.
type heldFrames struct {
	chunks []frameChunk // none empty
}

// chunkFrames is how many frames a chunk has at most.
const chunkFrames = 64

type frameChunk struct {
	frames  []heldFrame
	all     burden            // of those with a framing
	sources map[string]burden // the same, by source
}

func newFrameChunk(frames []heldFrame) frameChunk {
	c := frameChunk{frames: frames}
	for _, f := range frames {
		if f.framing == nil {
			continue
		}
		if c.sources == nil {
			c.sources = make(map[string]burden)
		}
		c.all.add(f.bytes, 1)
		same := c.sources[f.source]
		same.add(f.bytes, 1)
		c.sources[f.source] = same
	}
	return c
}

func newHeldFrames(records []store.HeldFrame) heldFrames {
	frames := make([]heldFrame, len(records))
	for i, rec := range records {
		frames[i].HeldFrame = rec
	}
	return heldFrames{}.with(frames...)
}

// all returns the frames in order.
func (l heldFrames) all() iter.Seq[heldFrame] {
	return func(yield func(heldFrame) bool) {
		for _, c := range l.chunks {
			for _, f := range c.frames {
				if !yield(f) {
					return
				}
			}
		}
	}
}

// records returns the records of the frames, or of those that a function takes.
func (l heldFrames) records(take func(store.HeldFrame) bool) (out []store.HeldFrame) {
	for f := range l.all() {
		if take == nil || take(f.HeldFrame) {
			out = append(out, f.HeldFrame)
		}
	}
	return out
}

// find returns the record of a frame by its hash.
func (l heldFrames) find(hash [32]byte) (store.HeldFrame, bool) {
	for f := range l.all() {
		if f.Hash == hash {
			return f.HeldFrame, true
		}
	}
	return store.HeldFrame{}, false
}

// at returns the place of the record with a number.
func (l heldFrames) at(seq uint64) (chunk, place int, ok bool) {
	chunk = sort.Search(len(l.chunks), func(i int) bool { f := l.chunks[i].frames; return f[len(f)-1].Seq >= seq })
	if chunk == len(l.chunks) {
		return 0, 0, false
	}
	frames := l.chunks[chunk].frames
	place = sort.Search(len(frames), func(i int) bool { return frames[i].Seq >= seq })
	return chunk, place, frames[place].Seq == seq
}

// has reports whether the record of a frame has a number.
func (l heldFrames) has(hash [32]byte, seq uint64) bool {
	chunk, place, ok := l.at(seq)
	return ok && l.chunks[chunk].frames[place].Hash == hash
}

// with returns the list with more frames, in ascending order, whose numbers are greater than all others.
func (l heldFrames) with(more ...heldFrame) heldFrames {
	l.chunks = slices.Clone(l.chunks)
	if last := len(l.chunks) - 1; last >= 0 && len(more) > 0 {
		if frames := l.chunks[last].frames; len(frames) < chunkFrames {
			n := min(chunkFrames-len(frames), len(more))
			l.chunks[last] = newFrameChunk(slices.Concat(frames, more[:n]))
			more = more[n:]
		}
	}
	for frames := range slices.Chunk(more, chunkFrames) {
		l.chunks = append(l.chunks, newFrameChunk(frames))
	}
	return l
}

// without returns the list without the records with these numbers.
func (l heldFrames) without(seqs ...uint64) heldFrames {
	l.chunks = slices.Clone(l.chunks)
	for _, seq := range seqs {
		chunk, place, ok := l.at(seq)
		switch {
		case !ok:
		case len(l.chunks[chunk].frames) == 1:
			l.chunks = slices.Delete(l.chunks, chunk, chunk+1)
		default:
			frames := l.chunks[chunk].frames
			l.chunks[chunk] = newFrameChunk(slices.Concat(frames[:place], frames[place+1:]))
		}
	}
	return l
}

// burdens returns how much all frames are, and those of a source.
func (l heldFrames) burdens(source string) (all, same burden) {
	for _, c := range l.chunks {
		all, same = all.plus(c.all), same.plus(c.sources[source])
	}
	return all, same
}
