package ratchet

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// identity is what a member is in a space, whatever the root: its keys, and what it has to say of itself in its next
// messages. It changes with commits and tickets, not with messages.
type identity struct {
	origin  proto.Origin
	owners  proto.OwnerList // with the highest counter seen
	index   dkg.Index
	signing suite.SigningKey
	inboxes []inboxKey // in the order in which they were drawn; the last is the newest
	drawn   uint32     // counter of the inbox key drawn last, if need be in a state that was lost

	introduction []byte        // one's own; empty for the founder
	introduceIn  proto.EpochID // carried by every message in it
	introduce    int64         // ms; until then by the first message of every epoch

	request    request
	asked      uint64        // counter of the last resync request
	askedAt    int64         // ms; of the last request of any kind
	answerDue  bool          // at the next own commit
	answeredIn proto.EpochID // its first messages repeat the counter of the answered request
	answered   uint64
	updateIn   proto.EpochID // its first messages carry the key update
	update     []byte
	updateDue  bool  // at the next own commit, whatever the time
	updatedAt  int64 // ms
	committed  int64 // ms; of the last own commit, or of entering the root
	firstSent  int64 // ms; of the first envelope, 0 if none was sent yet
}

// inboxKey is a private key to which owners box.
type inboxKey struct {
	counter uint32
	secret  suite.KEMSecret
}

// request is one's own request while a ticket may still come in.
type request struct {
	key     suite.KEMSecret // one-time ticket key; zero if there is no request
	hash    suite.Digest
	earlier []suite.Digest // of the same introduction, oldest first
	kind    proto.RequestKind
	count   uint64    // its counter
	serial  uint64    // of the epoch entered last when it was made: what came later is newer than what it asks for
	opened  int64     // ms; when the first ticket was entered, 0 before
	issuer  dkg.Index // of that ticket
}

func (r request) isOpen() bool { return !r.key.IsZero() }

// is reports whether a request is this one, or one that it repeats.
func (r request) is(h suite.Digest) bool {
	return r.isOpen() && (r.hash == h || slices.Contains(r.earlier, h))
}

// answeredBy returns which of these requests a ticket says that it answers.
func (r request) answeredBy(t proto.Ticket) (suite.Digest, bool) {
	for _, h := range append(r.earlier[:len(r.earlier):len(r.earlier)], r.hash) {
		if r.isOpen() && t.AnswersTo(h) {
			return h, true
		}
	}
	return suite.Digest{}, false
}

// again returns the request as it is after it was repeated.
func (r request) again(h suite.Digest) request {
	if len(r.earlier) == maxEarlier {
		r.earlier = r.earlier[1:]
	}
	r.earlier = append(slices.Clone(r.earlier), r.hash)
	r.hash = h
	return r
}

// maxEarlier bounds the requests of a joiner that tickets may answer: those of a month.
const maxEarlier = 32

// newest returns the inbox key drawn last.
func (d identity) newest() inboxKey { return d.inboxes[len(d.inboxes)-1] }

// withInbox returns the identity with a fresh inbox key. Of the older ones the first stays, to which owners box who have
// seen no update, and the newest.
func (d identity) withInbox(k suite.KEM) identity {
	if len(d.inboxes) > 0 {
		d.drawn++
	}
	d.inboxes = append(slices.Clip(d.inboxes), inboxKey{d.drawn, suite.NewKEMSecret(k)})
	if len(d.inboxes) > maxInboxes {
		d.inboxes = slices.Delete(d.inboxes, 1, 2)
	}
	return d
}

const (
	// maxInboxes is the number of inbox keys that are kept: those of a year, or of 60 tickets in a row.
	maxInboxes = 64
	// maxConfigs bounds the config keys of an owner, one for each root since it is one.
	maxConfigs = 1 << 12
)

// Encode implements state.Piece.
func (d identity) Encode(e *state.Encoder) {
	w := wire.NewWriter(128)
	d.origin.Write(w)
	e.Bytes(w.Bytes())
	e.Bytes(d.owners.Encode())
	e.Uint32(uint32(d.index))
	encodeSigningKey(e, d.signing)
	e.Uint32(uint32(len(d.inboxes)))
	for _, k := range d.inboxes {
		e.Uint32(k.counter)
		encodeBoxSecret(e, k.secret)
	}
	e.Uint32(d.drawn)
	e.Bytes(d.introduction)
	e.Fixed(d.introduceIn[:])
	e.Int64(d.introduce)
	d.request.encode(e)
	e.Uint64(d.asked)
	e.Int64(d.askedAt)
	e.Bool(d.answerDue)
	e.Fixed(d.answeredIn[:])
	e.Uint64(d.answered)
	e.Fixed(d.updateIn[:])
	e.Bytes(d.update)
	e.Bool(d.updateDue)
	e.Int64(d.updatedAt)
	e.Int64(d.committed)
	e.Int64(d.firstSent)
}

// Decode implements state.Piece.
func (identity) Decode(dec *state.Decoder) (d identity, err error) {
	r := wire.NewReader(dec.Bytes(256))
	d.origin = proto.ReadOrigin(r)
	owners := dec.Bytes(proto.MaxOwnerList)
	if err := dec.Err(); err != nil {
		return identity{}, err
	}
	if err := r.Done(); err != nil {
		return identity{}, err
	}
	if d.owners, err = proto.ParseOwnerList(owners); err != nil {
		return identity{}, err
	}
	d.index = dkg.Index(dec.Uint32())
	if d.signing, err = decodeSigningKey(dec); err != nil {
		return identity{}, err
	}
	d.inboxes = make([]inboxKey, dec.Count(maxInboxes, 4))
	for i := range d.inboxes {
		d.inboxes[i].counter = dec.Uint32()
		if d.inboxes[i].secret, err = decodeBoxSecret(dec); err != nil {
			return identity{}, err
		}
	}
	d.drawn = dec.Uint32()
	d.introduction = dec.Bytes(proto.MaxIntroduction)
	dec.Into(d.introduceIn[:])
	d.introduce = dec.Int64()
	if d.request, err = decodeOwnRequest(dec); err != nil {
		return identity{}, err
	}
	d.asked = dec.Uint64()
	d.askedAt = dec.Int64()
	d.answerDue = dec.Bool()
	dec.Into(d.answeredIn[:])
	d.answered = dec.Uint64()
	dec.Into(d.updateIn[:])
	d.update = dec.Bytes(proto.MaxIntroduction)
	d.updateDue = dec.Bool()
	d.updatedAt = dec.Int64()
	d.committed = dec.Int64()
	d.firstSent = dec.Int64()
	if err := dec.Err(); err != nil {
		return identity{}, err
	}
	if d.index.Check(dkg.MaxDepth) != nil || len(d.inboxes) == 0 {
		return identity{}, wire.ErrMalformed
	}
	return d, nil
}

func (r request) encode(e *state.Encoder) {
	e.Bool(r.isOpen())
	if !r.isOpen() {
		return
	}
	encodeBoxSecret(e, r.key)
	e.Fixed(r.hash[:])
	e.Uint32(uint32(len(r.earlier)))
	for _, h := range r.earlier {
		e.Fixed(h[:])
	}
	e.Uint8(uint8(r.kind))
	e.Uint64(r.count)
	e.Uint64(r.serial)
	e.Int64(r.opened)
	e.Uint32(uint32(r.issuer))
}

func decodeOwnRequest(d *state.Decoder) (r request, err error) {
	if !d.Bool() {
		return request{}, d.Err()
	}
	if r.key, err = decodeBoxSecret(d); err != nil {
		return request{}, err
	}
	d.Into(r.hash[:])
	r.earlier = make([]suite.Digest, d.Count(maxEarlier, suite.HashSize))
	for i := range r.earlier {
		d.Into(r.earlier[i][:])
	}
	r.kind = proto.RequestKind(d.Uint8())
	r.count = d.Uint64()
	r.serial = d.Uint64()
	r.opened = d.Int64()
	r.issuer = dkg.Index(d.Uint32())
	return r, d.Err()
}

// ownerKeys are the private keys of an owner (§11), or the explicit none.
type ownerKeys struct {
	owner   suite.SigningKey
	root    suite.SigningKey  // root owner key; zero if it is kept elsewhere
	configs []suite.KEMSecret // config keys of earlier roots, which dead links are boxed to
}

func (k ownerKeys) isNone() bool { return k.owner.IsZero() }

// Encode implements state.Piece.
func (k ownerKeys) Encode(e *state.Encoder) {
	e.Bool(!k.isNone())
	if k.isNone() {
		return
	}
	encodeSigningKey(e, k.owner)
	e.Bool(!k.root.IsZero())
	if !k.root.IsZero() {
		encodeSigningKey(e, k.root)
	}
	e.Uint32(uint32(len(k.configs)))
	for _, c := range k.configs {
		encodeBoxSecret(e, c)
	}
}

// Decode implements state.Piece.
func (ownerKeys) Decode(d *state.Decoder) (k ownerKeys, err error) {
	if !d.Bool() {
		return ownerKeys{}, d.Err()
	}
	if k.owner, err = decodeSigningKey(d); err != nil {
		return ownerKeys{}, err
	}
	if d.Bool() {
		if k.root, err = decodeSigningKey(d); err != nil {
			return ownerKeys{}, err
		}
	}
	for range d.Count(maxConfigs, 4) {
		c, err := decodeBoxSecret(d)
		if err != nil {
			return ownerKeys{}, err
		}
		k.configs = append(k.configs, c)
	}
	return k, d.Err()
}

// encodeSigningKey and encodeBoxSecret write private keys: the seed, behind what says how to read it.
func encodeSigningKey(e *state.Encoder, k suite.SigningKey) {
	e.Bytes([]byte(k.Public.Scheme()))
	e.Bytes(k.Seed.Expose())
}

func decodeSigningKey(d *state.Decoder) (suite.SigningKey, error) {
	scheme, seed := suite.Scheme(d.Bytes(16)), secret.Own(d.Bytes(suite.MaxPublicKey))
	if err := d.Err(); err != nil {
		return suite.SigningKey{}, err
	}
	return suite.ParseSigningKey(scheme, seed)
}

func encodeBoxSecret(e *state.Encoder, k suite.KEMSecret) {
	e.Uint16(uint16(k.Public.KEM()))
	e.Fixed(k.Seed.Expose())
}

func decodeBoxSecret(d *state.Decoder) (suite.KEMSecret, error) {
	kem, seed := suite.KEM(d.Uint16()), secret.Own(d.Fixed(suite.KEMSecretSize))
	if err := d.Err(); err != nil {
		return suite.KEMSecret{}, err
	}
	return suite.ParseKEMSecret(kem, seed)
}
