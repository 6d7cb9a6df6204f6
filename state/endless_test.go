package state

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/wire"
)

// endless is a piece that reads a segment of its own kind.
type endless struct{ below Segment[endless] }

func (e endless) Encode(*Encoder) {}

func (endless) Decode(d *Decoder) (e endless, err error) {
	e.below, err = DecodeSegment[endless](d, "a")
	return e, err
}

// A row whose records list one another without end is refused.
func TestEndlessSegmentsAreRefused(t *testing.T) {
	var w wire.Writer
	w.Vec32(nil)
	writeNodes(&w, []*node{{name: "a"}})
	opened := 0
	l := &load{func(string, *node) ([]byte, error) {
		opened++
		return w.Bytes(), nil
	}}
	require.ErrorIs(t, l.walk("state", &node{name: "state"}), ErrCorrupt)
	require.Less(t, opened, 128)
	opened = 0
	d, err := l.decoder("state", &node{name: "state"})
	require.NoError(t, err)
	require.ErrorIs(t, d.run(func(d *Decoder) error {
		_, err := endless{}.Decode(d)
		return err
	}), ErrCorrupt)
	require.Less(t, opened, 128)
}
