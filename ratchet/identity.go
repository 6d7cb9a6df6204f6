package ratchet

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// identity is who a member is in a space, whatever the root: its keys and what an admission made of them. It changes when it
// joins, when a root is entered and when an inbox key is drawn; not with messages.
type identity struct {
	origin       proto.Origin    // of a joiner that was not let in yet only its space is known
	unconfirmed  state.ID        // the space of such a joiner
	owners       proto.OwnerList // the newest that was seen and verified
	index        dkg.Index
	signing      suite.SigningKey
	binding      proto.Binding       // zero: the founder's
	certificates []proto.Certificate // one for each root held that does not list this member
	rest         proto.Rest
	inboxes      []inboxKey // in the order in which they were drawn; the last is the newest
	drawn        uint32     // counter of the inbox key drawn last, if need be in a state that was lost
	boxed        uint32     // counter of the inbox key by which a root was entered last
	entered      bool       // one was
}

// inboxKey is a private key to which others box. Of the first one the public half stays when it is erased: others know the member by it.
type inboxKey struct {
	counter uint32 // 0: that of the introduction
	secret  suite.KEMSecret
	over    millis // pruning clock, when it was found to be of no use any more; 0 before
}

const (
	// maxInboxes is how many inbox keys are kept: the first, to which those box who saw no update, and the 63 newest, which are
	// those of a year. Rekeys let go of them long before (§9).
	maxInboxes = 64
	// maxCertificates bounds the roots of which certificates are kept: those held.
	maxCertificates = 1 << 11
)

// space returns the space of which this is a member.
func (me identity) space() state.ID {
	if me.origin.RootOwner.IsZero() {
		return me.unconfirmed
	}
	return me.origin.Space()
}

// maker returns the member as its signatures show it.
func (me identity) maker() proto.Maker { return proto.Maker{Index: me.index, Key: me.signing.Public} }

// body returns the hash of the own binding, as a root has it.
func (me identity) body(r members.Root) proto.BodyHash {
	if own, known := r.Binding(me.maker()); known {
		return own.Body
	}
	return me.binding.Hash()
}

// follows reports whether a member may become this one: with the same key, and the same index unless an owner decided for somebody
// else's binding of it, so that it took another index of the same run.
func (me identity) follows(prev identity) bool {
	if me.signing.Public != prev.signing.Public {
		return false
	}
	return me.index == prev.index || !me.binding.IsZero() && !prev.binding.IsZero() && me.binding.Admission == prev.binding.Admission
}

// credential returns what the member shows under a root that does not list it, the zero Credential under one that does.
func (me identity) credential(root members.Root) proto.Credential {
	if _, listed := root.Listed(me.index); listed {
		return proto.Credential{}
	}
	return me.certifiedIn(root.ID())
}

// certifiedIn returns what the member shows under a root by whose certificate it came.
func (me identity) certifiedIn(root proto.EpochID) proto.Credential {
	for _, c := range me.certificates {
		if c.Root == root {
			return proto.Credential{Certificate: c, Binding: me.binding}
		}
	}
	return proto.Credential{}
}

// newest returns the inbox key drawn last.
func (me identity) newest() inboxKey { return me.inboxes[len(me.inboxes)-1] }

// withInbox returns the identity with an inbox key more.
func (me identity) withInbox(k inboxKey) identity {
	me.inboxes = append(slices.Clip(me.inboxes), k)
	if len(me.inboxes) > maxInboxes {
		me.inboxes = slices.Delete(slices.Clone(me.inboxes), 1, 2)
	}
	me.drawn = max(me.drawn, k.counter)
	return me
}

// Encode implements state.Piece.
func (me identity) Encode(e *state.Encoder) {
	e.Fixed(me.unconfirmed[:])
	e.Bool(!me.origin.RootOwner.IsZero())
	if !me.origin.RootOwner.IsZero() {
		e.Bytes(me.origin.Encode())
		e.Bytes(me.owners.Encode())
	}
	e.Uint32(uint32(me.index))
	encodeSigningKey(e, me.signing)
	e.Bool(!me.binding.IsZero())
	if !me.binding.IsZero() {
		e.Bytes(me.binding.Encode())
	}
	e.Uint32(uint32(len(me.certificates)))
	for _, c := range me.certificates {
		e.Bytes(c.Encode())
	}
	e.Bytes(me.rest.Encode())
	e.Uint32(uint32(len(me.inboxes)))
	for _, k := range me.inboxes {
		e.Uint32(k.counter)
		e.Int64(k.over)
		e.Bool(k.secret.IsZero())
		if k.secret.IsZero() {
			e.Bytes(k.secret.Public.Bytes())
		} else {
			encodeKEMSecret(e, k.secret)
		}
	}
	e.Uint32(me.drawn)
	e.Uint32(me.boxed)
	e.Bool(me.entered)
}

// Decode implements state.Piece.
func (identity) Decode(d *state.Decoder) (me identity, err error) {
	d.Into(me.unconfirmed[:])
	if d.Bool() {
		load(d, &err, &me.origin, 1<<10, proto.ParseOrigin)
		load(d, &err, &me.owners, 4<<10, proto.ParseOwnerList)
	}
	me.index = dkg.Index(d.Uint32())
	if err == nil {
		me.signing, err = decodeSigningKey(d)
	}
	if d.Bool() {
		load(d, &err, &me.binding, proto.MaxBinding, proto.ParseBinding)
	}
	for range d.Count(maxCertificates, 4) {
		var c proto.Certificate
		load(d, &err, &c, proto.MaxCertificate, proto.ParseCertificate)
		me.certificates = append(me.certificates, c)
	}
	load(d, &err, &me.rest, proto.MaxRest, proto.ParseRest)
	for range d.Count(maxInboxes, 4) {
		k := inboxKey{counter: d.Uint32(), over: d.Int64()}
		if d.Bool() {
			load(d, &err, &k.secret.Public, suite.MaxKEMKey, suite.LoadKEMKey)
		} else if err == nil {
			k.secret, err = decodeKEMSecret(d)
		}
		me.inboxes = append(me.inboxes, k)
	}
	me.drawn, me.boxed, me.entered = d.Uint32(), d.Uint32(), d.Bool()
	switch {
	case err != nil:
		return identity{}, err
	case d.Err() != nil:
		return identity{}, d.Err()
	case me.index.Check(dkg.MaxDepth) != nil || len(me.inboxes) == 0:
		return identity{}, wire.ErrMalformed
	}
	return me, nil
}

// load reads a field of at most max bytes with the parser of its format, unless something failed before.
func load[T any](d *state.Decoder, err *error, to *T, max int, parse func([]byte) (T, error)) {
	b := d.Bytes(max)
	if *err == nil {
		*err = d.Err()
	}
	if *err == nil {
		*to, *err = parse(b)
	}
}

// encodeSigningKey and encodeKEMSecret write private keys: the seed, behind what says how to read it.
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

func encodeKEMSecret(e *state.Encoder, k suite.KEMSecret) {
	e.Uint16(uint16(k.Public.KEM()))
	e.Fixed(k.Seed.Expose())
}

func decodeKEMSecret(d *state.Decoder) (suite.KEMSecret, error) {
	kem, seed := suite.KEM(d.Uint16()), secret.Own(d.Fixed(suite.KEMSecretSize))
	if err := d.Err(); err != nil {
		return suite.KEMSecret{}, err
	}
	return suite.ParseKEMSecret(kem, seed)
}
