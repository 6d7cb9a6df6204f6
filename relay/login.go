package relay

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

// Logins is who calls: a device signs a challenge and gets a token, which it shows with every request. A device need not be
// present for anything else: what it is entitled to waits for it.
type Logins struct {
	b      base
	secret atomic.Pointer[[sha256.Size]byte] // as it is stored
}

type secretRow struct {
	One    uint64
	Secret [sha256.Size]byte
}

type tokenRow struct {
	Token     [sha256.Size]byte // its digest: who reads the database cannot use it
	Device    api.DeviceID
	Challenge [sha256.Size]byte // for which it was given
	Until     int64
}

func (r *secretRow) fields() []any { return []any{&r.One, &r.Secret} }
func (r *tokenRow) fields() []any  { return []any{&r.Token, &r.Device, &r.Challenge, &r.Until} }

var (
	secrets = table[secretRow, *secretRow]{store.Secrets}
	tokens  = table[tokenRow, *tokenRow]{store.Tokens}
)

// A challenge is u64 until, 16 random bytes, and a MAC of both and the device under a secret that all relays on one store share.
// So nothing is stored for who asks, and any of the relays takes the answer.
const (
	challengeBody = 8 + 16
	challengeSize = challengeBody + sha256.Size
	tokenSize     = 32
)

// Challenge returns a challenge for a device, which need not exist. It can be answered once, for api.ChallengeKeep.
func (l *Logins) Challenge(ctx context.Context, device api.DeviceID) (api.Challenge, error) {
	until := l.b.now() + api.ChallengeKeep.Milliseconds()
	body := make([]byte, challengeBody)
	binary.BigEndian.PutUint64(body, uint64(until))
	rand.Read(body[8:])
	mac, err := l.mac(ctx, device, body)
	return api.Challenge{Challenge: append(body, mac...), Until: until}, err
}

// mac returns the MAC of the body of a challenge.
func (l *Logins) mac(ctx context.Context, device api.DeviceID, body []byte) ([]byte, error) {
	secret, err := l.shared(ctx)
	if err != nil {
		return nil, err
	}
	m := hmac.New(sha256.New, secret[:])
	m.Write(device[:])
	m.Write(body)
	return m.Sum(nil), nil
}

// shared returns the secret, which whoever needs it first draws.
func (l *Logins) shared(ctx context.Context) (*[sha256.Size]byte, error) {
	if s := l.secret.Load(); s != nil {
		return s, nil
	}
	var row secretRow
	err := l.b.store.Update(ctx, func(tx store.Tx) (err error) {
		var found bool
		if row, found, err = secrets.get(tx, uint64(1)); err != nil || found {
			return err
		}
		row.One = 1
		rand.Read(row.Secret[:])
		return secrets.insert(tx, row)
	})
	if err != nil {
		return nil, err
	}
	l.secret.Store(&row.Secret)
	return &row.Secret, nil
}

// Login returns a token for the answer to a challenge, valid for api.TokenKeep. It returns ErrUnauthenticated for a challenge
// that is not this relay's and this device's, is too old or was answered before; ErrUnverified for a signature that is not the
// device's; ErrForbidden for a device that there is not, or that was revoked. Of api.MaxTokens the oldest one ends, or it is
// ErrQuota if all were given within api.ChallengeKeep. The tokens of a device end when it is revoked, or its keys are renewed.
func (l *Logins) Login(ctx context.Context, in api.Login) (api.Token, error) {
	if l.b.o.Name == "" {
		return api.Token{}, fmt.Errorf("%w: the relay has no name", api.ErrForbidden)
	}
	if err := l.check(ctx, in); err != nil {
		return api.Token{}, err
	}
	signer, err := l.verify(ctx, in) // before the transaction: whoever sends nonsense holds up no writer
	if err != nil {
		return api.Token{}, err
	}
	token := make([]byte, tokenSize)
	rand.Read(token)
	row := tokenRow{sha256.Sum256(token), in.Device, sha256.Sum256(in.Challenge), l.b.now() + api.TokenKeep.Milliseconds()}
	err = l.b.store.Update(ctx, func(tx store.Tx) error {
		by, err := caller(tx, in.Device)
		if err != nil || by.Mailbox != signer {
			return or(err, api.ErrUnauthenticated, "the keys of the device were renewed")
		}
		if used, err := tokens.has(tx, "challenge", row.Challenge); err != nil || used {
			return or(err, api.ErrUnauthenticated, "the challenge was answered before")
		}
		others, err := tokens.scan(tx, api.MaxTokens, "device", in.Device)
		if err != nil {
			return err
		}
		if len(others) == api.MaxTokens {
			if others[0].Until >= row.Until-api.ChallengeKeep.Milliseconds() { // its challenge could be answered again
				return fmt.Errorf("%w: logins", api.ErrQuota)
			}
			if err := tokens.remove(tx, others[0]); err != nil {
				return err
			}
		}
		return tokens.insert(tx, row)
	})
	if err != nil {
		return api.Token{}, err
	}
	return api.Token{Token: base64.RawURLEncoding.EncodeToString(token), Until: row.Until}, nil
}

// check refuses a challenge that was not given to the device, or too long ago.
func (l *Logins) check(ctx context.Context, in api.Login) error {
	if len(in.Challenge) != challengeSize {
		return fmt.Errorf("%w: length of a challenge", api.ErrMalformed)
	}
	body, mac := in.Challenge[:challengeBody], in.Challenge[challengeBody:]
	want, err := l.mac(ctx, in.Device, body)
	if err != nil {
		return err
	}
	if !hmac.Equal(mac, want) {
		return fmt.Errorf("%w: a challenge of others", api.ErrUnauthenticated)
	}
	if until := binary.BigEndian.Uint64(body); uint64(l.b.now()) > until {
		return fmt.Errorf("%w: the challenge is too old", api.ErrUnauthenticated)
	}
	return nil
}

// verify returns the key that signed the answer to a challenge: the mailbox key of the device.
func (l *Logins) verify(ctx context.Context, in api.Login) (signer [key.VerifyKeySize]byte, err error) {
	err = l.b.store.View(ctx, func(r store.Reader) error {
		by, err := caller(r, in.Device)
		if err != nil {
			return err
		}
		signer = by.Mailbox
		return by.verify(api.LoginProof(l.b.o.Name, in.Device, in.Challenge), in.Signature)
	})
	return signer, err
}

// Device returns whose token it is, or ErrUnauthenticated. It writes nothing.
func (l *Logins) Device(ctx context.Context, token string) (device api.DeviceID, err error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != tokenSize {
		return api.DeviceID{}, fmt.Errorf("%w: not a token", api.ErrUnauthenticated)
	}
	err = l.b.store.View(ctx, func(r store.Reader) error {
		row, found, err := tokens.get(r, sha256.Sum256(raw))
		if err != nil || !found || row.Until < l.b.now() {
			return or(err, api.ErrUnauthenticated, "the token is not valid any longer")
		}
		device = row.Device
		return nil
	})
	return device, err
}

// sweepTokens removes tokens that are valid no longer.
func (b base) sweepTokens(tx store.Tx) (int, bool, error) {
	rows, err := tokens.scan(tx, batch, "until")
	if err != nil {
		return 0, false, err
	}
	n := 0
	for n < len(rows) && rows[n].Until < b.now() {
		n++
	}
	return n, n == batch, tokens.remove(tx, rows[:n]...)
}
