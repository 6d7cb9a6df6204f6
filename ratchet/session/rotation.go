package session

import (
	"crypto/mlkem"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// preKeys are the private keys of one bundle.
type preKeys struct {
	number  uint32
	drawn   int64 // milliseconds since 1970
	retired int64 // when the next ones were drawn, 0 for those that are published
	preKey  keypair.PrivateKey[key.PreKey]
	mlkem   decapsulationKey
	kem     keypair.KEMKey
}

func newPreKeys(number uint32, now time.Time) preKeys {
	return preKeys{number: number, drawn: now.UnixMilli(), preKey: keypair.GenerateKey[key.PreKey](),
		mlkem: newDecapsulationKey(), kem: keypair.GenerateKEMKey()}
}

// preKeyList is the pre-keys of a device, of which there is at least one: the last is published.
type preKeyList []preKeys

// current returns the pre-keys that are published.
func (l preKeyList) current() preKeys { return l[len(l)-1] }

// find returns the pre-keys of a bundle. It returns ErrNotYet for one that was not drawn, and ErrExpired for one that is erased.
func (l preKeyList) find(number uint32) (preKeys, error) {
	if number > l.current().number {
		return preKeys{}, fmt.Errorf("%w: %w", ErrNotYet, errNotIssued)
	}
	for _, k := range l {
		if k.number == number {
			return k, nil
		}
	}
	return preKeys{}, ErrExpired
}

// Bundle returns the device's signed bundle, which offers the hybrid suite.
func (d Device) Bundle() directory.Bundle {
	k := d.preKeys.current()
	return directory.NewBundle(d.identity.Public(), d.mailbox.Public(), directory.BundleKeys{Number: k.number,
		PreKey: k.preKey.Public(), MLKEM: k.mlkem.Expose().EncapsulationKey(), KEM: k.kem.Public()}, d.mailbox.Sign)
}

// BundleNumber returns the number of that bundle, without the signature.
func (d Device) BundleNumber() uint32 { return d.preKeys.current().number }

// KEM returns the private half of the KEM pre-key in the bundle of that number (see Bundle.Number). It returns ErrNotYet for
// one that this copy of the device has not drawn, and ErrExpired for one that is erased.
func (d Device) KEM(number uint32) (keypair.KEMKey, error) {
	k, err := d.preKeys.find(number)
	return k.kem, err
}

// Rotate returns the device with new keys in its bundle if those that are published are 7 days old, and without those that
// were replaced 30 days ago and the one-time pre-keys of that time. It reports whether anything changed. Then save the
// device, and publish its Bundle and new one-time pre-keys (see Issue): a directory drops those before.
//
// Call it now and then, after everything that waits at the relay was received: keys are replaced by this call only, and erased
// 30 days later at the earliest, so that a device that was off for long reads what was begun meanwhile.
func (d Device) Rotate(now time.Time) (next Device, changed bool) {
	t := now.UnixMilli()
	next = d
	next.preKeys = slices.DeleteFunc(slices.Clone(d.preKeys), func(k preKeys) bool {
		return k.retired != 0 && t-k.retired >= keepReplaced.Milliseconds()
	})
	last := &next.preKeys[len(next.preKeys)-1]
	// A clock that was wrong when they were drawn does not keep them for ever.
	if age := max(t-last.drawn, last.drawn-t); age >= rotateAfter.Milliseconds() && last.number < math.MaxUint32 {
		last.retired = t
		next.preKeys = append(next.preKeys, newPreKeys(last.number+1, now))
		next.preKeys = next.preKeys[max(0, len(next.preKeys)-maxPreKeys):]
	}
	if len(next.preKeys) == len(d.preKeys) && next.BundleNumber() == d.BundleNumber() {
		return d, false
	}
	next.oneTime = slices.DeleteFunc(slices.Clone(d.oneTime), func(o ownOneTime) bool { return o.bundle < next.preKeys[0].number })
	return next, true
}

const preKeysStored = 4 + 2*8 + storedPrivateSize + mlkem.SeedSize + keypair.KEMSeedSize

func (k preKeys) write(w *wire.Writer) {
	w.U32(k.number)
	w.U64(uint64(k.drawn))
	w.U64(uint64(k.retired))
	writePrivate(w, k.preKey)
	w.Fixed(k.mlkem.Expose().Bytes())
	w.Fixed(k.kem.Seed())
}

// readAllPreKeys reads the pre-keys of a device, of which there is at least one.
func readAllPreKeys(r *wire.Reader) (all preKeyList) {
	n := r.Count(maxPreKeys, preKeysStored)
	if n == 0 {
		r.Fail("a device without pre-keys")
	}
	for i := range n {
		k := preKeys{number: r.U32(), drawn: int64(r.U64()), retired: int64(r.U64()), preKey: readPrivate[key.PreKey](r),
			mlkem: readDecapsulationKey(r)}
		seed := r.Fixed(keypair.KEMSeedSize)
		if r.Err() != nil {
			return nil
		}
		var err error
		if k.kem, err = keypair.ParseKEMKey(seed); err != nil {
			r.Fail("a KEM pre-key")
		}
		if i > 0 && k.number <= all[i-1].number || k.number == 0 || (k.retired == 0) != (i == n-1) {
			r.Fail("the order of pre-keys")
		}
		all = append(all, k)
	}
	return all
}
