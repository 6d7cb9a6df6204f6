package directory

import (
	"fmt"

	"github.com/trefoil-im/trefoil/ratchet/session/internal/strictjson"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

type jsonRegistration struct {
	UserAddress   string         `json:"user_address"`
	UserPublicKey strictjson.Hex `json:"user_public_key"`
	PeerPublicKey strictjson.Hex `json:"peer_public_key"`
	Devices       []jsonEntry    `json:"device_registrations"`
	Signature     strictjson.Hex `json:"signature"`
	Renewals      strictjson.Hex `json:"renewals_signature,omitempty"` // not of the deployed client
}

type jsonEntry struct {
	IdentityPublicKey strictjson.Hex `json:"identity_public_key"`
	PrePublicKey      strictjson.Hex `json:"pre_public_key"`
	Inbox             jsonInbox      `json:"inbox_registration"`
	Renewal           *jsonRenewal   `json:"renewal,omitempty"` // not of the deployed client
}

type jsonRenewal struct {
	Count uint32         `json:"count"`
	Name  strictjson.Hex `json:"first_identity_public_key"`
}

type jsonInbox struct {
	Address             string         `json:"inbox_address"`
	EncryptionPublicKey strictjson.Hex `json:"inbox_encryption_public_key"`
}

// JSON returns the registration as it is published, in the format of the deployed client. If a device was renewed, fields are
// added that it does not know.
func (r Registration) JSON() []byte {
	out := jsonRegistration{
		UserAddress:   r.user.Address().String(),
		UserPublicKey: r.user.Bytes(),
		PeerPublicKey: r.account.Bytes(),
		Signature:     r.signature[:],
	}
	for _, e := range r.entries {
		j := jsonEntry{e.identity.Bytes(), e.preKey.Bytes(), jsonInbox{e.mailbox.String(), e.inbox.Bytes()}, nil}
		if e.renewals > 0 {
			j.Renewal = &jsonRenewal{e.renewals, e.name.Bytes()}
			out.Renewals = r.renewals[:]
		}
		out.Devices = append(out.Devices, j)
	}
	return strictjson.Write(out)
}

// ParseRegistration reads what JSON returns. It looks at no signature; fields that no signature covers are
// ignored.
func ParseRegistration(b []byte) (r Registration, err error) {
	var in jsonRegistration
	if err := strictjson.Read(b, &in, strictjson.Lenient); err != nil {
		return Registration{}, err
	}
	if len(in.Signature) != key.SignatureSize || len(in.Devices) > MaxDevices {
		return Registration{}, fmt.Errorf("%w: registration", key.ErrMalformed)
	}
	copy(r.signature[:], in.Signature)
	if r.user, err = key.ParseVerifyKey(in.UserPublicKey); err != nil {
		return Registration{}, err
	}
	if r.user.Address().String() != in.UserAddress {
		return Registration{}, fmt.Errorf("%w: the address in a registration is not that of its key", key.ErrMalformed)
	}
	if r.account, err = key.ParsePublicKey[key.Account](in.PeerPublicKey); err != nil {
		return Registration{}, err
	}
	for _, d := range in.Devices {
		e, err := d.parse()
		if err != nil {
			return Registration{}, err
		}
		r.entries = append(r.entries, e)
	}
	if r.isRenewed() {
		if len(in.Renewals) != key.SignatureSize {
			return Registration{}, fmt.Errorf("%w: signature of renewals", key.ErrMalformed)
		}
		copy(r.renewals[:], in.Renewals)
	}
	return r, r.check()
}

func (d jsonEntry) parse() (e Entry, err error) {
	if e.identity, err = key.ParsePublicKey[key.Identity](d.IdentityPublicKey); err != nil {
		return Entry{}, err
	}
	if e.preKey, err = key.ParsePublicKey[key.PreKey](d.PrePublicKey); err != nil {
		return Entry{}, err
	}
	if e.mailbox, err = key.ParseAddress(d.Inbox.Address); err != nil {
		return Entry{}, err
	}
	if e.inbox, err = key.ParsePublicKey[key.Inbox](d.Inbox.EncryptionPublicKey); err != nil || d.Renewal == nil {
		return e, err
	}
	if d.Renewal.Count == 0 {
		return Entry{}, fmt.Errorf("%w: number of renewals", key.ErrMalformed)
	}
	name, err := key.ParsePublicKey[key.Identity](d.Renewal.Name)
	return e.Renewed(name, d.Renewal.Count), err
}
