package client

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/internal/httpapi"
)

// login is as whom a client calls the relay, and the token with which it does. It is safe for concurrent use.
type login struct {
	c *Client

	guest  atomic.Pointer[guest] // nil if the device is none
	busy   chan struct{}         // holds one while the device logs in
	coming *guest                // to be registered; guarded by busy
	mu     sync.Mutex
	signer trefoil.Signer // nil if there is none
	token  string
}

// settle finds out who the device is, for what is done in its name before a request is made. It does not log in: a device that is not
// registered yet cannot.
func (l *login) settle(ctx context.Context) error {
	if !l.c.o.Guest || l.c.o.Authorize != nil {
		return nil
	}
	if err := l.take(ctx); err != nil {
		return err
	}
	defer func() { <-l.busy }()
	return l.visit(ctx)
}

// take waits until no other call logs in. Who has taken busy reads it afterwards.
func (l *login) take(ctx context.Context) error {
	select {
	case l.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// held returns the token, or nothing if there is none.
func (l *login) held() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.token
}

// authorized returns a token, after logging in if there is none.
func (l *login) authorized(ctx context.Context) (string, error) {
	if l.c.o.Authorize != nil {
		return "", nil
	}
	if token := l.held(); token != "" && !l.c.o.Guest {
		return token, nil
	}
	if err := l.take(ctx); err != nil {
		return "", err
	}
	defer func() { <-l.busy }()
	if l.c.o.Guest {
		if err := l.visit(ctx); err != nil {
			return "", err
		}
	}
	if token := l.held(); token != "" {
		return token, nil
	}
	device, err := l.device(ctx)
	if err != nil {
		return "", err
	}
	challenge, err := call(ctx, l.c, httpapi.Challenge, httpapi.ChallengeRequest{Device: device})
	if err != nil {
		return "", err
	}
	_, signature, err := l.sign(ctx, key.Address{}, api.LoginProof(l.c.o.Name, device, challenge.Challenge))
	if err != nil {
		return "", err
	}
	out, err := call(ctx, l.c, httpapi.Login, api.Login{Device: device, Challenge: challenge.Challenge, Signature: signature})
	if err != nil {
		return "", err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.token = out.Token
	return out.Token, nil
}

// authorize puts the token into a request.
func (l *login) authorize(req *http.Request, token string) error {
	if l.c.o.Authorize != nil {
		return l.c.o.Authorize(req)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return nil
}

// forget forgets a token that is not valid, unless there is another one already.
func (l *login) forget(token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.token == token {
		l.token = ""
	}
}

// signs returns who signs for the device, or api.ErrUnauthenticated.
func (l *login) signs() (trefoil.Signer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.signer == nil {
		return nil, fmt.Errorf("%w: neither Options.Sign nor SignWith is given", api.ErrUnauthenticated)
	}
	return l.signer, nil
}

// device returns the ID of this device.
func (l *login) device(ctx context.Context) (api.DeviceID, error) {
	if l.c.o.Sign != nil || l.c.o.Authorize != nil && !l.c.o.Device.IsZero() {
		return l.c.o.Device, nil
	}
	if g := l.guest.Load(); g != nil {
		return g.id, nil
	}
	s, err := l.signs()
	if err != nil {
		return api.DeviceID{}, err
	}
	person, name, err := s.Device(ctx)
	if err != nil {
		return api.DeviceID{}, fmt.Errorf("%w: %w", api.ErrUnauthenticated, err)
	}
	return api.NewDeviceID(person, name), nil
}

// sign returns the signature of a statement by the key of a mailbox, and the key; of the device's own if there is none.
func (l *login) sign(ctx context.Context, mailbox key.Address, statement []byte) (key.VerifyKey, []byte, error) {
	if l.c.o.Sign != nil && mailbox.IsZero() {
		return key.VerifyKey{}, l.c.o.Sign(statement), nil
	}
	if g := l.guest.Load(); g != nil && mailbox.IsZero() {
		return g.device.Bundle().Mailbox(), g.device.Sign(statement), nil
	}
	s, err := l.signs()
	if err != nil {
		return key.VerifyKey{}, nil, err
	}
	return s.Sign(ctx, mailbox, statement)
}
