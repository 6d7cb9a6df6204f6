package proto

import (
	"bytes"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Notice tells members, also those who are removed, of a root: which it is, who belongs to it, who is gone, and who owns the space
// (§10). A genesis has one too. A member says it as a statement to those that do not hold the root: its signature is that of the notice, for
// Verify.
type Notice struct {
	Common    Common
	Check     Check
	Members   Bitmap // the roster's indices
	Gone      Bitmap // empty of a genesis
	Owners    OwnerList
	Signer    uint8 // place in Owners
	Signature []byte
}

// Kind implements Statement.
func (Notice) Kind() StatementKind { return KindNotice }

func (n Notice) signature() []byte { return n.Signature }

// Root returns the id of the root.
func (n Notice) Root() EpochID { return n.Common.ID(n.Check) }

// Sign returns the notice with the signature of an owner in its list, or suite.ErrInvalid if the key is none.
func (n Notice) Sign(owner suite.SigningKey) (Notice, error) {
	place, ok := n.Owners.PlaceOf(owner.Public)
	if !ok {
		return Notice{}, invalid("signer of a notice")
	}
	n.Signer = place
	id, d := n.Root(), suite.Hash(n.body())
	n.Signature = owner.Sign(suite.SignRekey, n.Common.Space[:], id[:], d[:])
	return n, nil
}

// Verify checks that the notice is of the origin's space, that the root owner key signed its owner list, and that the owner at
// its place signed it. It returns suite.ErrInvalid.
func (n Notice) Verify(o Origin) error {
	if n.Common.Space != o.Space() {
		return invalid("notice of another space")
	}
	if n.Owners.Since > n.Common.Rekey {
		return invalid("owner list of a later root")
	}
	if err := n.Owners.Verify(o); err != nil {
		return err
	}
	owner, ok := n.Owners.At(n.Signer)
	if !ok {
		return invalid("signer of a notice")
	}
	id, d := n.Root(), suite.Hash(n.body())
	return owner.Verify(n.Signature, suite.SignRekey, n.Common.Space[:], id[:], d[:])
}

// VerifyTemplate checks that a template is that of the notice's root, or returns suite.ErrInvalid.
func (n Notice) VerifyTemplate(t Template) error {
	c := n.Common
	if c.Template != t.Hash() || t.Rekey != c.Rekey || t.Depth != c.Depth || !t.Public.Equal(c.Public) ||
		!bytes.Equal(t.Owners.Encode(), n.Owners.Encode()) {
		return invalid("template of another root")
	}
	return nil
}

// VerifyRoster checks that the roster is that of the notice's root, and that nobody in it is gone, or returns suite.ErrInvalid.
func (n Notice) VerifyRoster(roster Roster, s suite.Suite) error {
	if n.Common.Rekey == 0 && len(n.Gone) > 0 || n.Common.Roster != roster.Digest(n.Gone) || !bytes.Equal(n.Members, roster.Bitmap()) ||
		n.Members.Intersects(n.Gone) {
		return invalid("roster of another root")
	}
	for _, e := range roster {
		if e.Signing.Scheme() != s.Scheme() || e.Index.Check(n.Common.Depth) != nil {
			return invalid("entry of a roster")
		}
	}
	return nil
}

// size is at least that of the encoding.
func (n Notice) size() int {
	return commonSize + 32 + 4 + len(n.Members) + 4 + len(n.Gone) + 2 + maxOwnerList + 1 + 2 + suite.MaxSignature
}

func (n Notice) body() []byte { return encode(n.size(), n.writeBody) }

func (n Notice) writeBody(w *wire.Writer) {
	n.Common.write(w)
	w.Fixed(n.Check[:])
	w.Vec32(n.Members)
	w.Vec32(n.Gone)
	w.Vec16(n.Owners.Encode())
	w.U8(n.Signer)
}

// Encode returns common ‖ check ‖ vec32 bitmap ‖ vec32 gone ‖ vec16 owner list ‖ u8 place of the signer ‖ vec16 signature.
func (n Notice) Encode() []byte {
	return encode(n.size(), func(w *wire.Writer) {
		n.writeBody(w)
		w.Vec16(n.Signature)
	})
}

func readNotice(r *wire.Reader) (n Notice) {
	n.Common = readCommon(r)
	r.Into(n.Check[:])
	n.Members = readBitmap(r, false)
	n.Gone = readBitmap(r, true)
	n.Owners = readNested(r, r.Vec16(maxOwnerList), readOwnerList)
	n.Signer = r.U8()
	n.Signature = readSignature(r)
	if r.Err() == nil && (int(n.Signer) >= len(n.Owners.Keys) || 8*max(len(n.Members), len(n.Gone)) > max(8, 1<<n.Common.Depth)) {
		r.Fail("signer, members or gone of a notice")
	}
	return n
}

// ParseNotice reads a notice without verifying it.
func ParseNotice(b []byte) (Notice, error) { return parseAll(b, maxNotice, readNotice) }
