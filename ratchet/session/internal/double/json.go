package double

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/aead"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/strictjson"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// jsonRatchet is the state of a ratchet as the deployed client stores it. Absent keys are empty strings; every
// field is there.
type jsonRatchet struct {
	Own                 *strictjson.Base64 `json:"sending_ephemeral_private_key"`
	Remote              *strictjson.Base64 `json:"receiving_ephemeral_key"`
	Root                *strictjson.Base64 `json:"root_key"`
	Sending             *strictjson.Base64 `json:"sending_chain_key"`
	SendingHeader       *strictjson.Base64 `json:"current_sending_header_key"`
	ReceivingHeader     *strictjson.Base64 `json:"current_receiving_header_key"`
	NextSendingHeader   *strictjson.Base64 `json:"next_sending_header_key"`
	NextReceivingHeader *strictjson.Base64 `json:"next_receiving_header_key"`
	Receiving           *strictjson.Base64 `json:"receiving_chain_key"`
	SendingLength       *uint32            `json:"current_sending_chain_length"`
	PreviousSending     *uint32            `json:"previous_sending_chain_length"`
	ReceivingLength     *uint32            `json:"current_receiving_chain_length"`
	PreviousReceiving   *uint32            `json:"previous_receiving_chain_length"`
	Skipped             *jsonSkipped       `json:"skipped_keys_map"`
}

// JSON returns the ratchet as the deployed client stores it, with the step that is pending, if any. It holds every key in
// plain; it is for moving a conversation to the deployed client. It returns key.ErrArgument for a ratchet in another form.
func (r Ratchet) JSON() ([]byte, error) {
	if r.Form() != Classic {
		return nil, fmt.Errorf("%w: the deployed client knows no braid", key.ErrArgument)
	}
	r, err := r.withStep()
	if err != nil {
		return nil, err
	}
	text := func(k secret.Bytes) *strictjson.Base64 {
		b := strictjson.Base64(k.Expose())
		return &b
	}
	own, remote := strictjson.Base64(r.own.Bytes()), strictjson.Base64(r.remote.Bytes())
	return strictjson.Write(jsonRatchet{
		Own: &own, Remote: &remote, Root: text(r.root),
		Sending: text(r.sending.key), Receiving: text(r.receiving.key),
		SendingHeader: text(r.sendingHeader.Secret()), NextSendingHeader: text(r.nextSendingHeader.Secret()),
		ReceivingHeader: text(r.receivingHeader.Secret()), NextReceivingHeader: text(r.nextReceivingHeader.Secret()),
		SendingLength: &r.sending.n, PreviousSending: &r.previousSending,
		ReceivingLength: &r.receiving.n, PreviousReceiving: &r.previousReceiving,
		Skipped: (*jsonSkipped)(&r.skipped),
	}), nil
}

// ParseJSON reads the state of a ratchet as the deployed client stores it. That peer keeps the keys of skipped messages
// after it has used them; more than 2,000 are cut to the last ones.
func ParseJSON(in []byte) (Ratchet, error) {
	var j jsonRatchet
	if err := strictjson.Read(in, &j, strictjson.Exact); err != nil {
		return Ratchet{}, err
	}
	bad := false
	field := func(b *strictjson.Base64) []byte {
		if b == nil {
			bad = true
			return nil
		}
		return *b
	}
	optional := func(b *strictjson.Base64) secret.Bytes {
		switch k := field(b); len(k) {
		case 0:
			return secret.Bytes{}
		case aead.KeySize:
			return secret.Own(k)
		}
		bad = true
		return secret.Bytes{}
	}
	headerKey := func(b *strictjson.Base64) aead.Key {
		if k := optional(b); !k.IsZero() {
			return aead.New(k)
		}
		return aead.Key{}
	}
	length := func(n *uint32) uint32 {
		if n == nil {
			bad = true
			return 0
		}
		return *n
	}
	r := Ratchet{
		root:    optional(j.Root),
		sending: chain{optional(j.Sending), length(j.SendingLength)}, receiving: chain{optional(j.Receiving), length(j.ReceivingLength)},
		sendingHeader: headerKey(j.SendingHeader), nextSendingHeader: headerKey(j.NextSendingHeader),
		receivingHeader: headerKey(j.ReceivingHeader), nextReceivingHeader: headerKey(j.NextReceivingHeader),
		previousSending: length(j.PreviousSending), previousReceiving: length(j.PreviousReceiving),
	}
	own, ownErr := keypair.ParsePrivateKey[key.Step](field(j.Own))
	remote, remoteErr := key.ParsePublicKey[key.Step](field(j.Remote))
	if bad || j.Skipped == nil || r.root.IsZero() || ownErr != nil || remoteErr != nil ||
		!r.sending.IsZero() && r.sendingHeader.IsZero() {
		return Ratchet{}, fmt.Errorf("%w: state of a ratchet", key.ErrMalformed)
	}
	r.own, r.public, r.remote = own, own.Public(), remote
	r.skipped = skipped(*j.Skipped).newest(r.receivingHeader).bounded()
	return r, nil
}

// jsonSkipped writes and reads skipped keys as { header key: { number: keys } }. The order of the chains means nothing to
// the deployed client; ours stand in their order of age, and are read in the order in which they stand.
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
		text(b.header.Secret().Expose())
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
		return key.ErrMalformed
	}
	for d.More() {
		header, err := memberName(d)
		if err != nil {
			return err
		}
		var keys map[uint32]strictjson.Base64
		if err := d.Decode(&keys); err != nil {
			return key.ErrMalformed
		}
		if header == "" {
			continue // keys of no chain, which no message can ask for
		}
		var k strictjson.Base64
		if err := k.UnmarshalText([]byte(header)); err != nil || len(k) != aead.KeySize {
			return key.ErrMalformed
		}
		b := bucket{header: aead.New(secret.Own(k))}
		for n, both := range keys {
			if len(both) != 2*aead.KeySize {
				return key.ErrMalformed
			}
			b.keys = append(b.keys, skippedKey{n, messageKeys{secret.Own(both)}})
		}
		if len(b.keys) == 0 {
			continue // the deployed client leaves those behind
		}
		slices.SortFunc(b.keys, skippedKey.compare)
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
		return "", key.ErrMalformed
	}
	return name, nil
}
