package session

import (
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
)

// Bits of the byte that says which of a ratchet's keys are there. They are part of the stored format.
const (
	hasSending = 1 << iota
	hasReceiving
	hasSendingHeader
	hasNextSendingHeader
	hasReceivingHeader
	hasNextReceivingHeader
	owesTurn
	unusedFlag
)

// maxRatchet bounds a stored ratchet, in bytes: each skipped key may be alone in its chain.
const maxRatchet = 1<<10 + MaxSkip*(bucketStored+skippedStored)

const (
	bucketStored  = keySize + 4
	skippedStored = 4 + 2*keySize
)

// marshal returns the stored form of a ratchet.
func (r Ratchet) marshal() []byte {
	w := wire.NewWriter(512 + r.skipped.count*skippedStored + len(r.skipped.buckets)*bucketStored)
	r.write(w)
	return w.Bytes()
}

func (r Ratchet) write(w *wire.Writer) {
	keys := [...]secret.Bytes{r.sending.key, r.receiving.key, r.sendingHeader.key, r.nextSendingHeader.key,
		r.receivingHeader.key, r.nextReceivingHeader.key}
	var flags uint8
	for i, k := range keys {
		if !k.IsZero() {
			flags |= 1 << i
		}
	}
	if r.turnOwed {
		flags |= owesTurn
	}
	w.U8(flags)
	w.Fixed(r.root.Expose())
	w.Fixed(r.own.Bytes())
	if !r.turnOwed {
		w.Fixed(r.public.encoding[:])
	}
	w.Fixed(r.remote.encoding[:])
	for _, k := range keys {
		w.Fixed(k.Expose())
	}
	w.U32(r.sending.n)
	w.U32(r.receiving.n)
	w.U32(r.previousSending)
	w.U32(r.previousReceiving)
	w.U32(uint32(len(r.skipped.buckets)))
	for _, b := range r.skipped.buckets {
		w.Fixed(b.header.key.Expose())
		w.U32(uint32(len(b.keys)))
		for _, k := range b.keys {
			w.U32(k.n)
			w.Fixed(k.keys.both.Expose())
		}
	}
}

// parseRatchet reads the stored form.
func parseRatchet(b []byte) (Ratchet, error) {
	in := wire.NewReader(b)
	r := readRatchet(in)
	if err := in.Done(); err != nil {
		return Ratchet{}, err
	}
	return r, nil
}

func readRatchet(in *wire.Reader) (r Ratchet) {
	flags := in.U8()
	key := func(flag uint8) secret.Bytes {
		if flags&flag == 0 {
			return secret.Bytes{}
		}
		return readSecret(in, keySize)
	}
	headerKey := func(flag uint8) aead {
		if k := key(flag); !k.IsZero() && in.Err() == nil {
			return newAEAD(k)
		}
		return aead{}
	}
	r.turnOwed = flags&owesTurn != 0
	if flags&unusedFlag != 0 || r.turnOwed && flags&(hasSending|hasNextSendingHeader) != 0 {
		in.Fail("the keys of a ratchet contradict each other")
	}
	r.root = readSecret(in, keySize)
	r.own = readScalar(in)
	if !r.turnOwed {
		r.public = readStoredKey[step](in)
	}
	r.remote = readStoredKey[step](in)
	r.sending.key = key(hasSending)
	r.receiving.key = key(hasReceiving)
	r.sendingHeader = headerKey(hasSendingHeader)
	r.nextSendingHeader = headerKey(hasNextSendingHeader)
	r.receivingHeader = headerKey(hasReceivingHeader)
	r.nextReceivingHeader = headerKey(hasNextReceivingHeader)
	r.sending.n = in.U32()
	r.receiving.n = in.U32()
	r.previousSending = in.U32()
	r.previousReceiving = in.U32()
	r.skipped = readSkipped(in)
	return r
}

func readSkipped(in *wire.Reader) (s skipped) {
	for range in.Count(MaxSkip, bucketStored+skippedStored) {
		k := readSecret(in, keySize)
		n := in.Count(MaxSkip-s.count, skippedStored)
		if n == 0 {
			in.Fail("skipped keys of no chain, or too many")
		}
		if in.Err() != nil {
			return skipped{}
		}
		b := bucket{header: newAEAD(k), keys: make([]skippedKey, n)}
		for i := range b.keys {
			b.keys[i] = skippedKey{in.U32(), messageKeys{readSecret(in, 2*keySize)}}
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
