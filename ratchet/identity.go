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

// newest returns the inbox key drawn last.
func (me identity) newest() inboxKey { return me.inboxes[len(me.inboxes)-1] }

// withInbox returns the identity with a fresh inbox key. Of the older ones the first stays, to which owners box who have
// seen no update, and the newest.
func (me identity) withInbox(k suite.KEM) identity {
	if len(me.inboxes) > 0 {
		me.drawn++
	}
	me.inboxes = append(slices.Clip(me.inboxes), inboxKey{me.drawn, suite.NewKEMSecret(k)})
	if len(me.inboxes) > maxInboxes {
		me.inboxes = slices.Delete(me.inboxes, 1, 2)
	}
	return me
}

const (
	// maxInboxes is the number of inbox keys that are kept: those of a year, or of 60 tickets in a row.
	maxInboxes = 64
	// maxConfigs bounds the config keys of an owner, one for each root since it is one.
	maxConfigs = 1 << 12
)

// Encode implements state.Piece.
func (me identity) Encode(e *state.Encoder) {
	w := wire.NewWriter(128)
	me.origin.Write(w)
	e.Bytes(w.Bytes())
	e.Bytes(me.owners.Encode())
	e.Uint32(uint32(me.index))
	encodeSigningKey(e, me.signing)
	e.Uint32(uint32(len(me.inboxes)))
	for _, k := range me.inboxes {
		e.Uint32(k.counter)
		encodeBoxSecret(e, k.secret)
	}
	e.Uint32(me.drawn)
	e.Bytes(me.introduction)
	e.Fixed(me.introduceIn[:])
	e.Int64(me.introduce)
	me.request.encode(e)
	e.Uint64(me.asked)
	e.Int64(me.askedAt)
	e.Bool(me.answerDue)
	e.Fixed(me.answeredIn[:])
	e.Uint64(me.answered)
	e.Fixed(me.updateIn[:])
	e.Bytes(me.update)
	e.Bool(me.updateDue)
	e.Int64(me.updatedAt)
	e.Int64(me.committed)
	e.Int64(me.firstSent)
}

// Decode implements state.Piece.
func (identity) Decode(dec *state.Decoder) (me identity, err error) {
	r := wire.NewReader(dec.Bytes(256))
	me.origin = proto.ReadOrigin(r)
	owners := dec.Bytes(proto.MaxOwnerList)
	if err := dec.Err(); err != nil {
		return identity{}, err
	}
	if err := r.Done(); err != nil {
		return identity{}, err
	}
	if me.owners, err = proto.ParseOwnerList(owners); err != nil {
		return identity{}, err
	}
	me.index = dkg.Index(dec.Uint32())
	if me.signing, err = decodeSigningKey(dec); err != nil {
		return identity{}, err
	}
	me.inboxes = make([]inboxKey, dec.Count(maxInboxes, 4))
	for i := range me.inboxes {
		me.inboxes[i].counter = dec.Uint32()
		if me.inboxes[i].secret, err = decodeBoxSecret(dec); err != nil {
			return identity{}, err
		}
	}
	me.drawn = dec.Uint32()
	me.introduction = dec.Bytes(proto.MaxIntroduction)
	dec.Into(me.introduceIn[:])
	me.introduce = dec.Int64()
	if me.request, err = decodeOwnRequest(dec); err != nil {
		return identity{}, err
	}
	me.asked = dec.Uint64()
	me.askedAt = dec.Int64()
	me.answerDue = dec.Bool()
	dec.Into(me.answeredIn[:])
	me.answered = dec.Uint64()
	dec.Into(me.updateIn[:])
	me.update = dec.Bytes(proto.MaxIntroduction)
	me.updateDue = dec.Bool()
	me.updatedAt = dec.Int64()
	me.committed = dec.Int64()
	me.firstSent = dec.Int64()
	if err := dec.Err(); err != nil {
		return identity{}, err
	}
	if me.index.Check(dkg.MaxDepth) != nil || len(me.inboxes) == 0 {
		return identity{}, wire.ErrMalformed
	}
	return me, nil
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
