package orphans

import (
	"bytes"
	"cmp"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Candidate is the child of a commit that passed §4. It is known and not held: its parent is not punctured, and nothing was
// read in it. It is entered when a message in or below it turns out to be true.
type Candidate struct {
	ID         proto.EpochID
	Parent     proto.EpochID
	Root       proto.EpochID
	Generation uint64
	Shown      proto.Shown
	Keys       proto.EpochKeys
	Sure       bool // the keys of its parent were derived, and not told, when it was made

	number         uint64 // order in which candidates came to be known
	header, commit suite.AEAD
}

// epoch returns the candidate as a frame is tried with it.
func (c Candidate) epoch() Epoch { return Epoch{c.ID, c.Generation, c.header, c.commit, true} }

// ready returns the candidate with its ciphers.
func (c Candidate) ready() Candidate {
	c.header, c.commit = suite.NewAEAD(c.Keys.Header), suite.NewAEAD(c.Keys.Commit)
	return c
}

// Key implements segmap.Row.
func (c Candidate) Key() segmap.Key { return segmap.ByID(c.ID) }

// keys lists the keys of an epoch in the order in which they are stored.
func keys(k *proto.EpochKeys) []*secret.Bytes {
	return []*secret.Bytes{&k.Header, &k.Commit, &k.SenderRoot, &k.CommitRoot, &k.Authenticator, &k.Exporter}
}

// Encode implements state.Piece.
func (c Candidate) Encode(e *state.Encoder) {
	e.Fixed(c.ID[:])
	e.Fixed(c.Parent[:])
	e.Fixed(c.Root[:])
	e.Uint64(c.Generation)
	e.Uint64(c.number)
	e.Bool(c.Sure)
	e.Bytes(c.Shown.Encode())
	for _, k := range keys(&c.Keys) {
		e.Fixed(k.Expose())
	}
}

// Decode implements state.Piece.
func (Candidate) Decode(d *state.Decoder) (c Candidate, err error) {
	d.Into(c.ID[:])
	d.Into(c.Parent[:])
	d.Into(c.Root[:])
	c.Generation, c.number = d.Uint64(), d.Uint64()
	c.Sure = d.Bool()
	shown := d.Bytes(proto.MaxSealedCommit)
	for _, k := range keys(&c.Keys) {
		*k = secret.Own(d.Fixed(suite.KeySize))
	}
	if err := d.Err(); err != nil {
		return Candidate{}, err
	}
	if c.Shown, err = proto.ParseShown(shown); err != nil {
		return Candidate{}, err
	}
	if c.Generation > proto.MaxGeneration || c.number == 0 {
		return Candidate{}, wire.ErrMalformed
	}
	return c.ready(), nil
}

// maker is who a candidate counts against: index and signing key of its commit, without a key if the notice lists it.
type maker struct{ proto.Maker }

func makerOf(s proto.Shown) (m maker) {
	m.Index = s.Commit.Core.Maker
	if !s.Credential.IsZero() {
		m.Key = s.Credential.Key()
	}
	return m
}

func (m maker) compare(o maker) int {
	return cmp.Or(cmp.Compare(m.Index, o.Index), bytes.Compare(m.Key.Bytes(), o.Key.Bytes()))
}

// maxLed is the number of candidates of one maker. At it a further commit waits, so that an insider's commits cost no more
// than that; an honest member makes a few in a month.
const maxLed = 512
