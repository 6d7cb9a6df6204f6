package double

import (
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/aead"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/braid"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/keywire"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// Bits of the byte that says which of a ratchet's keys are there. They are part of the stored format.
const (
	hasSending = 1 << iota
	hasReceiving
	hasSendingHeader
	hasNextSendingHeader
	hasReceivingHeader
	hasNextReceivingHeader
	hasStepPending
	hasBraid
)

// MaxStored bounds a stored ratchet, in bytes: each skipped key may be alone in its chain.
const MaxStored = 1<<10 + braid.MaxStored + MaxSkip*(bucketStored+skippedStored)

const (
	bucketStored  = aead.KeySize + 4
	skippedStored = 4 + 2*aead.KeySize
)

// marshal returns the stored form of a ratchet.
func (r Ratchet) marshal() []byte {
	w := wire.NewWriter(512 + braid.MaxStored + r.skipped.count*skippedStored + len(r.skipped.buckets)*bucketStored)
	r.Write(w)
	return w.Bytes()
}

// Write appends the stored form.
func (r Ratchet) Write(w *wire.Writer) {
	keys := [...]secret.Bytes{r.sending.key, r.receiving.key, r.sendingHeader.Secret(), r.nextSendingHeader.Secret(),
		r.receivingHeader.Secret(), r.nextReceivingHeader.Secret()}
	var flags uint8
	for i, k := range keys {
		if !k.IsZero() {
			flags |= 1 << i
		}
	}
	if r.stepPending {
		flags |= hasStepPending
	}
	if !r.braid.IsZero() {
		flags |= hasBraid
	}
	w.U8(flags)
	w.Fixed(r.root.Expose())
	w.Fixed(r.own.Bytes())
	if !r.stepPending {
		w.Fixed(r.public.Bytes())
	}
	w.Fixed(r.remote.Bytes())
	for _, k := range keys {
		w.Fixed(k.Expose())
	}
	w.U32(r.sending.n)
	w.U32(r.receiving.n)
	w.U32(r.previousSending)
	w.U32(r.previousReceiving)
	w.U32(uint32(len(r.skipped.buckets)))
	for _, b := range r.skipped.buckets {
		w.Fixed(b.header.Secret().Expose())
		w.U32(uint32(len(b.keys)))
		for _, k := range b.keys {
			w.U32(k.n)
			w.Fixed(k.keys.both.Expose())
		}
	}
	if !r.braid.IsZero() {
		r.braid.Write(w)
	}
}

// parseRatchet reads the stored form.
func parseRatchet(b []byte) (Ratchet, error) {
	in := wire.NewReader(b)
	r := Read(in)
	if err := in.Done(); err != nil {
		return Ratchet{}, err
	}
	return r, nil
}

// Read reads what Write appended.
func Read(in *wire.Reader) (r Ratchet) {
	flags := in.U8()
	present := func(flag uint8) secret.Bytes {
		if flags&flag == 0 {
			return secret.Bytes{}
		}
		return readSecret(in, aead.KeySize)
	}
	headerKey := func(flag uint8) aead.Key {
		if k := present(flag); !k.IsZero() && in.Err() == nil {
			return aead.New(k)
		}
		return aead.Key{}
	}
	r.stepPending = flags&hasStepPending != 0
	if r.stepPending && flags&(hasSending|hasNextSendingHeader) != 0 {
		in.Fail("the keys of a ratchet contradict each other")
	}
	r.root = readSecret(in, aead.KeySize)
	own := in.Fixed(keypair.PrivateKeySize)
	if !r.stepPending {
		r.public = keywire.Stored[key.Step](in)
	}
	r.remote = keywire.Stored[key.Step](in)
	r.sending.key = present(hasSending)
	r.receiving.key = present(hasReceiving)
	r.sendingHeader = headerKey(hasSendingHeader)
	r.nextSendingHeader = headerKey(hasNextSendingHeader)
	r.receivingHeader = headerKey(hasReceivingHeader)
	r.nextReceivingHeader = headerKey(hasNextReceivingHeader)
	r.sending.n = in.U32()
	r.receiving.n = in.U32()
	r.previousSending = in.U32()
	r.previousReceiving = in.U32()
	r.skipped = readSkipped(in)
	if flags&hasBraid != 0 {
		r.braid = braid.Read(in)
	}
	if in.Err() == nil {
		var err error
		if r.own, err = keypair.Stored(own, r.public); err != nil {
			in.Fail("a private key")
		}
	}
	return r
}

func readSkipped(in *wire.Reader) (s skipped) {
	for range in.Count(MaxSkip, bucketStored+skippedStored) {
		k := readSecret(in, aead.KeySize)
		n := in.Count(MaxSkip-s.count, skippedStored)
		if n == 0 {
			in.Fail("skipped keys of no chain, or too many")
		}
		if in.Err() != nil {
			return skipped{}
		}
		b := bucket{header: aead.New(k), keys: make([]skippedKey, n)}
		for i := range b.keys {
			b.keys[i] = skippedKey{in.U32(), messageKeys{readSecret(in, 2*aead.KeySize)}}
			if i > 0 && b.keys[i].n <= b.keys[i-1].n {
				in.Fail("skipped keys out of order")
			}
		}
		s.buckets = append(s.buckets, b)
		s.count += n
	}
	return s
}

// readSecret reads key bytes; after a failure it returns none.
func readSecret(in *wire.Reader, n int) secret.Bytes {
	b := in.Fixed(n)
	if b == nil {
		return secret.Bytes{}
	}
	return secret.Own(b)
}
