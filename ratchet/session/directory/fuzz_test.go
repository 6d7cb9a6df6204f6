package directory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/quorumtest"
)

func FuzzBundle(f *testing.F) {
	d := newDevice(f)
	wiretest.Fuzz(f, ParseBundle, func(b Bundle) []byte { return quorumtest.Must(b.MarshalBinary()) }, quorumtest.Must(d.bundle().MarshalBinary()))
}

func FuzzOneTimePreKey(f *testing.F) {
	keys := newDevice(f).oneTime(1)
	wiretest.Fuzz(f, ParseOneTimePreKey, func(o OneTimePreKey) []byte { return quorumtest.Must(o.MarshalBinary()) }, quorumtest.Must(keys[0].MarshalBinary()))
}

func FuzzPreKeys(f *testing.F) {
	d := newDevice(f)
	s, err := NewPreKeys(d.bundle()).Add(d.oneTime(1, 2)...)
	require.NoError(f, err)
	wiretest.Fuzz(f, ParsePreKeys, func(s PreKeys) []byte { return quorumtest.Must(s.MarshalBinary()) }, quorumtest.Must(s.MarshalBinary()))
}

func FuzzRegistrationJSON(f *testing.F) {
	h := newHuman(f, 2)
	renewed, err := h.register(h.devices[0].entry(), h.renew(f, 1))
	require.NoError(f, err)
	quorumtest.FuzzJSON(f, ParseRegistration, Registration.JSON, newHuman(f, 2).registration(f).JSON(), renewed.JSON())
}
