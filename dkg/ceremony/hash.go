package ceremony

import (
	"crypto/sha3"

	"github.com/trefoil-im/trefoil/internal/wire"
)

// protocol begins every label. Labels are part of the format.
const protocol = "trefoil dkg v1 "

const (
	labelSetup      = "setup"
	labelBody       = "body"
	labelHeader     = "header"
	labelOpening    = "opening"
	labelProof      = "proof"
	labelTranscript = "transcript"
	labelBoxKey     = "box key"
	labelBox        = "box"
)

type digest = [32]byte

// hash returns cSHAKE256 of the parts, which are of fixed sizes or the last one, under a label.
func hash(label string, parts ...[]byte) (d digest) {
	h := sha3.NewCSHAKE256(nil, []byte(protocol+label))
	for _, p := range parts {
		h.Write(p)
	}
	h.Read(d[:])
	return d
}

// digests reads n digests.
func digests(r *wire.Reader, n int) []digest {
	out := make([]digest, n)
	for i := range out {
		r.Into(out[i][:])
	}
	return out
}

func concat(ds ...[]digest) (b []byte) {
	for _, list := range ds {
		for _, d := range list {
			b = append(b, d[:]...)
		}
	}
	return b
}
