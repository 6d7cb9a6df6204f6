package session

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
)

// jsonRatchet is the state of a ratchet as the deployed peer stores it. Keys that are not there are empty strings; every
// field is there.
type jsonRatchet struct {
	Own                 *jsonBase64  `json:"sending_ephemeral_private_key"`
	Remote              *jsonBase64  `json:"receiving_ephemeral_key"`
	Root                *jsonBase64  `json:"root_key"`
	Sending             *jsonBase64  `json:"sending_chain_key"`
	SendingHeader       *jsonBase64  `json:"current_sending_header_key"`
	ReceivingHeader     *jsonBase64  `json:"current_receiving_header_key"`
	NextSendingHeader   *jsonBase64  `json:"next_sending_header_key"`
	NextReceivingHeader *jsonBase64  `json:"next_receiving_header_key"`
	Receiving           *jsonBase64  `json:"receiving_chain_key"`
	SendingLength       *uint32      `json:"current_sending_chain_length"`
	PreviousSending     *uint32      `json:"previous_sending_chain_length"`
	ReceivingLength     *uint32      `json:"current_receiving_chain_length"`
	PreviousReceiving   *uint32      `json:"previous_receiving_chain_length"`
	Skipped             *jsonSkipped `json:"skipped_keys_map"`
}

// JSON returns the ratchet as the deployed peer stores it, with the turn that it owes, if any. It holds every key in
// plain; it is for moving a conversation to the deployed client.
func (r Ratchet) JSON() ([]byte, error) {
	r, err := r.turned()
	if err != nil {
		return nil, err
	}
	key := func(k secret.Bytes) *jsonBase64 {
		b := jsonBase64(k.Expose())
		return &b
	}
	own, remote := jsonBase64(r.own.Bytes()), jsonBase64(r.remote.encoding[:])
	return writeJSON(jsonRatchet{
		Own: &own, Remote: &remote, Root: key(r.root),
		Sending: key(r.sending.key), Receiving: key(r.receiving.key),
		SendingHeader: key(r.sendingHeader.key), NextSendingHeader: key(r.nextSendingHeader.key),
		ReceivingHeader: key(r.receivingHeader.key), NextReceivingHeader: key(r.nextReceivingHeader.key),
		SendingLength: &r.sending.n, PreviousSending: &r.previousSending,
		ReceivingLength: &r.receiving.n, PreviousReceiving: &r.previousReceiving,
		Skipped: (*jsonSkipped)(&r.skipped),
	}), nil
}

// ParseRatchetJSON reads the state of a ratchet as the deployed peer stores it. That peer keeps the keys of skipped messages
// after it has used them; more than 2,000 are cut to the last ones.
func ParseRatchetJSON(in []byte) (Ratchet, error) {
	var j jsonRatchet
	if err := readJSON(in, &j, exact); err != nil {
		return Ratchet{}, err
	}
	bad := false
	field := func(b *jsonBase64) []byte {
		if b == nil {
			bad = true
			return nil
		}
		return *b
	}
	key := func(b *jsonBase64) secret.Bytes {
		switch k := field(b); len(k) {
		case 0:
			return secret.Bytes{}
		case keySize:
			return secret.Own(k)
		}
		bad = true
		return secret.Bytes{}
	}
	headerKey := func(b *jsonBase64) aead {
		if k := key(b); !k.IsZero() {
			return newAEAD(k)
		}
		return aead{}
	}
	length := func(n *uint32) uint32 {
		if n == nil {
			bad = true
			return 0
		}
		return *n
	}
	r := Ratchet{
		root:    key(j.Root),
		sending: chain{key(j.Sending), length(j.SendingLength)}, receiving: chain{key(j.Receiving), length(j.ReceivingLength)},
		sendingHeader: headerKey(j.SendingHeader), nextSendingHeader: headerKey(j.NextSendingHeader),
		receivingHeader: headerKey(j.ReceivingHeader), nextReceivingHeader: headerKey(j.NextReceivingHeader),
		previousSending: length(j.PreviousSending), previousReceiving: length(j.PreviousReceiving),
	}
	own, ownErr := parseScalar(field(j.Own))
	remote, remoteErr := ParsePublicKey[step](field(j.Remote))
	if bad || j.Skipped == nil || r.root.IsZero() || ownErr != nil || remoteErr != nil ||
		!r.sending.isZero() && r.sendingHeader.isZero() {
		return Ratchet{}, fmt.Errorf("%w: state of a ratchet", ErrMalformed)
	}
	r.own, r.public, r.remote = own, publicKey[step](ed448.BaseMult(own)), remote
	r.skipped = skipped(*j.Skipped).newest(r.receivingHeader.key).bounded()
	return r, nil
}

// jsonSkipped writes and reads skipped keys as { header key: { number: keys } }. The order of the chains means nothing to
// the deployed peer; ours stand in their order of age, and are read in the order in which they stand.
type jsonSkipped skipped

func (s *jsonSkipped) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	text := func(b []byte) {
		out = append(out, '"')
		out = base64.StdEncoding.AppendEncode(out, b)
		out = append(out, '"')
	}
	for i, b := range s.buckets {
		if i > 0 {
			out = append(out, ',')
		}
		text(b.header.key.Expose())
		out = append(out, ':', '{')
		for i, k := range b.keys {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, '"')
			out = strconv.AppendUint(out, uint64(k.n), 10)
			out = append(out, '"', ':')
			text(k.keys.both.Expose())
		}
		out = append(out, '}')
	}
	return append(out, '}'), nil
}

func (s *jsonSkipped) UnmarshalJSON(in []byte) error {
	d := json.NewDecoder(bytes.NewReader(in))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return ErrMalformed
	}
	for d.More() {
		header, err := memberName(d)
		if err != nil {
			return err
		}
		var keys map[uint32]jsonBase64
		if err := d.Decode(&keys); err != nil {
			return ErrMalformed
		}
		if header == "" {
			continue // keys of no chain, which no message can ask for
		}
		var k jsonBase64
		if err := k.UnmarshalText([]byte(header)); err != nil || len(k) != keySize {
			return ErrMalformed
		}
		b := bucket{header: newAEAD(secret.Own(k))}
		for n, both := range keys {
			if len(both) != 2*keySize {
				return ErrMalformed
			}
			b.keys = append(b.keys, skippedKey{n, messageKeys{secret.Own(both)}})
		}
		if len(b.keys) == 0 {
			continue // the deployed peer leaves those behind
		}
		slices.SortFunc(b.keys, func(x, y skippedKey) int { return int(int64(x.n) - int64(y.n)) })
		s.buckets = append(s.buckets, b)
		s.count += len(b.keys)
	}
	return nil
}

// memberName reads the name of the next member of an object.
func memberName(d *json.Decoder) (string, error) {
	t, err := d.Token()
	name, ok := t.(string)
	if err != nil || !ok {
		return "", ErrMalformed
	}
	return name, nil
}
