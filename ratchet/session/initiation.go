package session

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/frame"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/keywire"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/strictjson"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// route is an inbox that a device made for one peer: where it goes on reading.
type route struct {
	mailbox key.Address
	inbox   key.PublicKey[key.Inbox]
}

const routeSize = len(key.Address{}) + key.PublicKeySize

func (r route) isZero() bool { return r.inbox.IsZero() }

// or returns r, or the other route if nothing was said of where to send.
func (r route) or(before route) route {
	if r.isZero() {
		return before
	}
	return r
}

func (r route) write(w *wire.Writer) {
	w.Fixed(r.mailbox[:])
	w.Fixed(r.inbox.Bytes())
}

func readRoute(in *wire.Reader) (r route) {
	in.Into(r.mailbox[:])
	r.inbox = keywire.Public[key.Inbox](in)
	return r
}

// initiation is what begins a session: who says to begin it, where it reads the answers, and its first message. The box
// around it was made with the initiator's ephemeral key, which is part of the initiation: it is not optional, and is
// never zero in what the parsers return.
type initiation struct {
	ephemeral key.PublicKey[key.Ephemeral]
	person    key.Address
	identity  key.PublicKey[key.Identity]
	route     route
	offer     *offer // nil in the classic suite
	message   double.Message
}

func (i initiation) suite() suite {
	if i.offer == nil {
		return classic
	}
	return hybrid
}

// marshal returns the content of the box in the hybrid suite.
func (i initiation) marshal() []byte {
	w := wire.NewWriter(initiationSize + i.message.BinarySize())
	w.U8(hybridVersion)
	w.U64(i.offer.generation)
	w.U64(i.offer.heard)
	w.U32(i.offer.bundle)
	w.U32(i.offer.oneTime)
	w.Fixed(i.offer.ciphertext[:])
	w.Fixed(i.offer.proof[:])
	w.Fixed(i.person[:])
	w.Fixed(i.identity.Bytes())
	i.route.write(w)
	w.Fixed(i.message.AppendBinary(nil))
	return w.Bytes()
}

const initiationSize = 1 + 2*8 + 2*4 + len(offer{}.ciphertext) + proofSize + len(key.Address{}) + key.PublicKeySize + routeSize

// parseInitiation reads what marshal returns, from a box that was made with the ephemeral key.
func parseInitiation(e key.PublicKey[key.Ephemeral], b []byte) (initiation, error) {
	r := wire.NewReader(b)
	r.Version8(hybridVersion, hybridVersion)
	i := initiation{ephemeral: e, offer: new(offer)}
	i.offer.generation = r.U64()
	i.offer.heard = r.U64()
	i.offer.bundle = r.U32()
	i.offer.oneTime = r.U32()
	r.Into(i.offer.ciphertext[:])
	r.Into(i.offer.proof[:])
	r.Into(i.person[:])
	i.identity = keywire.Public[key.Identity](r)
	i.route = readRoute(r)
	message := r.Rest()
	if err := r.Done(); err != nil {
		return initiation{}, key.Malformed(err)
	}
	var err error
	i.message, err = double.ParseMessage(message)
	return i, err
}

// jsonInitiation is the content of the box in the classic suite.
type jsonInitiation struct {
	ReturnAddress       string         `json:"return_inbox_address"`
	ReturnEncryptionKey strictjson.Hex `json:"return_inbox_encryption_key"`
	ReturnPublicKey     strictjson.Hex `json:"return_inbox_public_key"`
	ReturnPrivateKey    strictjson.Hex `json:"return_inbox_private_key"`
	UserAddress         string         `json:"user_address"`
	Identity            strictjson.Hex `json:"identity_public_key"`
	Tag                 string         `json:"tag"`
	DisplayName         string         `json:"display_name,omitempty"`
	UserIcon            string         `json:"user_icon,omitempty"`
	Message             string         `json:"message"`
	Type                string         `json:"type"`
}

// typeDirect is the type of every initiation.
const typeDirect = "direct"

// jsonWith returns the content of the box in the classic suite, in which the key that signs for the return inbox goes along.
// The conversation's tag is the person's address.
func (i initiation) jsonWith(mailbox keypair.SigningKey) []byte {
	j := jsonInitiation{
		UserAddress: i.person.String(),
		Identity:    i.identity.Bytes(),
		Tag:         i.person.String(),
		Message:     string(i.message.JSON()),
		Type:        typeDirect,
	}
	if !i.route.isZero() {
		j.ReturnAddress = i.route.mailbox.String()
		j.ReturnEncryptionKey = i.route.inbox.Bytes()
		j.ReturnPublicKey = mailbox.Public().Bytes()
		j.ReturnPrivateKey = mailbox.Seed()
	}
	return strictjson.Write(j)
}

// errNoInitiation: the JSON is none of an initiation, but may be that of a message.
var errNoInitiation = errors.New("session: no initiation")

// parseInitiationJSON reads what jsonWith returns. Other fields may be there: applications add to the envelope.
func parseInitiationJSON(e key.PublicKey[key.Ephemeral], b []byte) (i initiation, err error) {
	var j jsonInitiation
	if err := strictjson.Read(b, &j, strictjson.Lenient); err != nil {
		return initiation{}, err
	}
	if j.Message == "" && j.Type == "" {
		return initiation{}, errNoInitiation
	}
	if j.Type != typeDirect {
		return initiation{}, fmt.Errorf("%w: type of an initiation", key.ErrMalformed)
	}
	i.ephemeral = e
	if i.person, err = key.ParseAddress(j.UserAddress); err != nil {
		return initiation{}, err
	}
	if i.identity, err = key.ParsePublicKey[key.Identity](j.Identity); err != nil {
		return initiation{}, err
	}
	if j.ReturnAddress != "" || len(j.ReturnEncryptionKey) > 0 { // otherwise nothing is said of where to answer
		if i.route.mailbox, err = key.ParseAddress(j.ReturnAddress); err != nil {
			return initiation{}, err
		}
		if i.route.inbox, err = key.ParsePublicKey[key.Inbox](j.ReturnEncryptionKey); err != nil {
			return initiation{}, err
		}
	}
	if i.message, err = double.ParseMessageJSON([]byte(j.Message)); err != nil {
		return initiation{}, err
	}
	return i, nil
}

// readInitiation reads the content of the frame's box.
func readInitiation(f frame.Frame, plain []byte) (initiation, error) {
	if f.Kind == frame.Initiation {
		return parseInitiation(f.Box.Ephemeral(), plain)
	}
	return parseInitiationJSON(f.Box.Ephemeral(), plain)
}
