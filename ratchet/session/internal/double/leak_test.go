package double

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
)

// G6: a ratchet shows none of its keys, nor do the errors of its readers.
func TestG6NothingLeaks(t *testing.T) {
	t.Parallel()
	forms(t, nothingLeaks)
}

func nothingLeaks(t *testing.T, f Form) {
	alice, bob := freshRatchets(t, f)
	alice, _ = encrypt(t, alice, "skipped")
	alice, bob = pass(t, alice, bob, "text")
	for _, r := range []Ratchet{alice, bob} {
		secrets := [][]byte{r.root.Expose(), r.own.Bytes(), r.nextReceivingHeader.Secret().Expose(), r.sendingHeader.Secret().Expose()}
		if !r.sending.IsZero() {
			secrets = append(secrets, r.sending.key.Expose(), r.nextSendingHeader.Secret().Expose())
		}
		if !r.receiving.IsZero() {
			secrets = append(secrets, r.receiving.key.Expose(), r.receivingHeader.Secret().Expose(),
				r.skipped.buckets[0].keys[0].keys.both.Expose())
		}
		secrettest.Check(t, r, secrets...)
		_, err := parseRatchet(r.marshal()[:200])
		secrettest.Check(t, err, secrets...)
		raw, err := r.JSON()
		if f == Braided {
			secrettest.Check(t, err, secrets...)
			continue
		}
		require.NoError(t, err)
		for _, bad := range [][]byte{raw[:len(raw)-1], append([]byte{'['}, raw...), raw[:90]} {
			_, err := ParseJSON(bad)
			secrettest.Check(t, err, secrets...)
		}
	}
}
