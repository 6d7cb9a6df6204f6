package proto

import (
	"testing"
	"testing/cryptotest"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// TestGoldenDerivations pins what is computed and never sent as it is: keys, checks, ids, tags, names.
func TestGoldenDerivations(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	p := newPieces(t, suite.Ed25519Hybrid)
	key := secret.New([]byte("0123456789abcdef0123456789abcdef"))
	place := Place{1, 2, 3}
	k := DeriveKeys(EpochSecret(key, key), place)
	hh, check := k.HeaderCheck(place), k.Check(place)
	id := ByCommit.ID(place, check)
	keys, err := KeysOfInvite(key, p.space, p.suite)
	require.NoError(t, err)
	direct, err := DirectTicketKey(key, p.space, p.suite)
	require.NoError(t, err)
	var one [dkg.ShareSize]byte // index 7, value 1
	one[3], one[4] = 7, 1
	masked, err := dkg.ParseShare(one[:])
	require.NoError(t, err)
	export, err := suite.Export(k.Exporter, "label", []byte("context"), 32)
	require.NoError(t, err)
	resync, tag := ResyncKey(key, p.space, id)
	fingerprint, authenticator := p.roster.Fingerprint(p.space), Authenticator(k.Authenticator, p.roster, NewBitmap(9))
	_, ctx, content := p.envelope(t, p.inner(t))
	message, asked := content.ID(ctx), p.ask(t).ID()
	body, rest, inbox := p.joiners[0].binding.Hash(), p.joiners[0].rest.Hash(), HashOfInbox(direct.Public)
	invite, boxTag, request := NameOfInvite(keys.Admission.Public), TagOfBox(p.space, 1, 2, direct.Public), DirectRequest(p.link(p.joiners[0]))
	roster, owners := p.roster.Digest(NewBitmap(9)), p.owners.Hash()
	var out []byte
	for _, b := range [][]byte{k.Header.Expose(), k.Commit.Expose(), k.SenderRoot.Expose(), k.CommitRoot.Expose(), k.Authenticator.Expose(),
		k.Exporter.Expose(), hh[:], check[:], id[:], keys.M.Expose(), keys.Admission.Public.Bytes(), keys.RequestKey.Expose(), keys.Tag[:],
		direct.Seed.Expose(), MaskOf(keys.M, p.space, p.poly.Commitment()).HideShare(masked).Expose(), export.Expose(), resync.Expose(), tag[:],
		RekeyBodyKey(key, p.space).Expose(), fingerprint[:], authenticator[:], message[:], asked[:], body[:], rest[:], inbox[:], invite[:], boxTag[:], request[:],
		roster[:], owners[:], suite.U32(Jitter(id, 7))} {
		out = append(out, b...)
	}
	golden(t, "derivations", out)
}
