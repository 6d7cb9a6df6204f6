package session

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
)

// route is an inbox that a device made for one peer: where it goes on reading.
type route struct {
	mailbox Address
	inbox   PublicKey[Inbox]
}

const routeSize = len(Address{}) + PublicKeySize

func (r route) isZero() bool { return r.inbox.IsZero() }

func (r route) write(w *wire.Writer) {
	w.Fixed(r.mailbox[:])
	w.Fixed(r.inbox.encoding[:])
}

func readRoute(in *wire.Reader) (r route) {
	in.Into(r.mailbox[:])
	r.inbox = readPublicKey[Inbox](in)
	return r
}

// initiation is what begins a session: who says to begin it, where it reads the answers, and its first message. The box
// around it was made with the initiator's ephemeral key, which is part of the initiation: it is not optional, and is
// never zero in what the parsers return.
type initiation struct {
	ephemeral PublicKey[Ephemeral]
	person    Address
	identity  PublicKey[Identity]
	route     route
	offer     *offer // nil in the deployed form
	message   Message
}

func (i initiation) form() form {
	if i.offer == nil {
		return deployed
	}
	return hybrid
}

// marshal returns the content of the box in the hybrid form.
func (i initiation) marshal() []byte {
	w := wire.NewWriter(initiationSize + messageOverhead + len(i.message.body))
	w.U8(hybridVersion)
	w.U64(i.offer.generation)
	w.U32(i.offer.oneTime)
	w.Fixed(i.offer.ciphertext[:])
	w.Fixed(i.person[:])
	w.Fixed(i.identity.encoding[:])
	i.route.write(w)
	w.Fixed(i.message.appendBinary(nil))
	return w.Bytes()
}

const initiationSize = 1 + 8 + 4 + len(offer{}.ciphertext) + len(Address{}) + PublicKeySize + routeSize

// parseInitiation reads what marshal returns, from a box that was made with the ephemeral key.
func parseInitiation(e PublicKey[Ephemeral], b []byte) (initiation, error) {
	r := wire.NewReader(b)
	r.Version8(hybridVersion, hybridVersion)
	i := initiation{ephemeral: e, offer: new(offer)}
	i.offer.generation = r.U64()
	i.offer.oneTime = r.U32()
	r.Into(i.offer.ciphertext[:])
	r.Into(i.person[:])
	i.identity = readPublicKey[Identity](r)
	i.route = readRoute(r)
	message := r.Rest()
	if err := r.Done(); err != nil {
		return initiation{}, malformed(err)
	}
	var err error
	i.message, err = ParseMessage(message)
	return i, err
}

// jsonInitiation is the content of the box in the deployed form.
type jsonInitiation struct {
	ReturnAddress       string  `json:"return_inbox_address"`
	ReturnEncryptionKey jsonHex `json:"return_inbox_encryption_key"`
	ReturnPublicKey     jsonHex `json:"return_inbox_public_key"`
	ReturnPrivateKey    jsonHex `json:"return_inbox_private_key"`
	UserAddress         string  `json:"user_address"`
	Identity            jsonHex `json:"identity_public_key"`
	Tag                 string  `json:"tag"`
	DisplayName         string  `json:"display_name,omitempty"`
	UserIcon            string  `json:"user_icon,omitempty"`
	Message             string  `json:"message"`
	Type                string  `json:"type"`
}

// typeDirect is the type of every initiation.
const typeDirect = "direct"

// jsonWith returns the content of the box in the deployed form, in which the key that signs for the return inbox goes along.
// The conversation's tag is the person's address.
func (i initiation) jsonWith(mailbox SigningKey) []byte {
	j := jsonInitiation{
		UserAddress: i.person.String(),
		Identity:    i.identity.encoding[:],
		Tag:         i.person.String(),
		Message:     string(i.message.JSON()),
		Type:        typeDirect,
	}
	if !i.route.isZero() {
		j.ReturnAddress = i.route.mailbox.String()
		j.ReturnEncryptionKey = i.route.inbox.encoding[:]
		j.ReturnPublicKey = mailbox.public.encoding[:]
		j.ReturnPrivateKey = mailbox.seed()
	}
	return writeJSON(j)
}

// errNoInitiation: the JSON is none of an initiation, but may be that of a message.
var errNoInitiation = errors.New("session: no initiation")

// parseInitiationJSON reads what jsonWith returns. Other fields may be there: applications add to the envelope.
func parseInitiationJSON(e PublicKey[Ephemeral], b []byte) (i initiation, err error) {
	var j jsonInitiation
	if err := readJSON(b, &j, lenient); err != nil {
		return initiation{}, err
	}
	if j.Message == "" && j.Type == "" {
		return initiation{}, errNoInitiation
	}
	if j.Type != typeDirect {
		return initiation{}, fmt.Errorf("%w: type of an initiation", ErrMalformed)
	}
	i.ephemeral = e
	if i.person, err = ParseAddress(j.UserAddress); err != nil {
		return initiation{}, err
	}
	if i.identity, err = ParsePublicKey[Identity](j.Identity); err != nil {
		return initiation{}, err
	}
	if j.ReturnAddress != "" || len(j.ReturnEncryptionKey) > 0 { // otherwise nothing is said of where to answer
		if i.route.mailbox, err = ParseAddress(j.ReturnAddress); err != nil {
			return initiation{}, err
		}
		if i.route.inbox, err = ParsePublicKey[Inbox](j.ReturnEncryptionKey); err != nil {
			return initiation{}, err
		}
	}
	if i.message, err = ParseMessageJSON([]byte(j.Message)); err != nil {
		return initiation{}, err
	}
	return i, nil
}

// Claim is who the sender of an initialization says it is. Nothing of it is believed: look up the registration of that
// person, verify it, and make the slot for its device (see New); Decrypt then finds out whether the claim is true.
type Claim struct {
	Person   Address
	Identity PublicKey[Identity]
}

// Claim returns who says to have sent a frame that came to the device's own mailbox. It returns ErrForged if the box does not
// open, and ErrMalformed if no initialization is in it.
func (d Device) Claim(b []byte) (Claim, error) {
	f, err := parseFrame(b)
	if err != nil {
		return Claim{}, err
	}
	if f.kind == frameMessage {
		return Claim{}, fmt.Errorf("%w: no initialization", ErrMalformed)
	}
	plain, err := f.box.Open(d.inbox)
	if err != nil {
		return Claim{}, err
	}
	i, err := f.initiation(plain)
	if errors.Is(err, errNoInitiation) {
		err = malformed(err)
	}
	return Claim{i.person, i.identity}, err
}

// initiation reads the content of the frame's box.
func (f frame) initiation(plain []byte) (initiation, error) {
	if f.kind == frameInitiation {
		return parseInitiation(f.box.ephemeral, plain)
	}
	return parseInitiationJSON(f.box.ephemeral, plain)
}
