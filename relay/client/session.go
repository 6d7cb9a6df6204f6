package client

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/state"
)

// labelConversation and labelFrame are part of the format: of the ID of a conversation, and of a frame in an envelope.
const (
	labelConversation = "trefoil/relay direct conversation"
	labelFrame        = "trefoil/relay frame"
)

// Pauses before the relay is asked again: the frames are posted in any case. The devices differ until the directory shows what the relay
// knows; of sessions a person may begin so many in a day.
const (
	devicesPause = time.Minute
	quotaPause   = time.Hour
)

// BeginSession is what trefoil.Envelope says. The envelopes are the next session of the direct conversation of the two persons, which is
// created if there is none: so whoever is faster, all sessions are in one conversation.
func (c *Client) BeginSession(ctx context.Context, with key.Address, request [16]byte, all []trefoil.Envelope) state.Delivery {
	s, err := c.login.signs()
	if err != nil {
		return state.Rejected(err.Error())
	}
	self, _, err := s.Device(ctx)
	if err != nil {
		return state.RetryAfter(0)
	}
	h := sha256.New()
	h.Write([]byte(labelConversation))
	h.Write(request[:]) // which is random, so nobody can take the ID before
	p := api.Proposal{Key: request, Conversation: api.ConversationID(h.Sum(nil)), Kind: api.Direct, Members: []key.Address{self, with}}
	for _, e := range all {
		p.Envelopes = append(p.Envelopes, api.Envelope{Device: api.NewDeviceID(e.Person, e.Device), Ephemeral: e.Ephemeral.Bytes(),
			Sealed: sealedFrame(e.Topic, e.Frame)})
	}
	for range maxFresh {
		begun, err := c.Conversations.Begin(ctx, p)
		var stale *api.StaleError
		switch {
		case err == nil && begun.Adopted, errors.Is(err, api.ErrReused): // of the same request it was another base that was current
			return state.Delivered()
		case err == nil:
			p.Conversation, p.Base = begun.Conversation, begun.Number
		case errors.As(err, &stale):
			p.Base = stale.Current
		case errors.Is(err, api.ErrQuota):
			return state.RetryAfter(quotaPause)
		case errors.Is(err, api.ErrDevices):
			return state.RetryAfter(devicesPause)
		case errors.Is(err, api.ErrMalformed), errors.Is(err, api.ErrForbidden), errors.Is(err, api.ErrMembers):
			c.o.Log.Warn("the relay does not keep how a session begins", "error", err)
			return state.Rejected(err.Error())
		default:
			c.o.Log.Info("the relay does not keep yet how a session begins", "error", err)
			return state.RetryAfter(0)
		}
	}
	return state.RetryAfter(0)
}

// sealedFrame returns what an envelope holds for the relay: label ‖ 0 ‖ vec8(topic) ‖ frame.
func sealedFrame(topic string, frame []byte) []byte {
	w := wire.NewWriter(len(labelFrame) + 2 + len(topic) + len(frame))
	w.Fixed([]byte(labelFrame))
	w.U8(0)
	w.Vec8([]byte(topic))
	w.Fixed(frame)
	return w.Bytes()
}

// parseSealedFrame reads what sealedFrame returns, for the address of a mailbox.
func parseSealedFrame(b []byte) (topic string, frame []byte, err error) {
	r := wire.NewReader(b)
	if string(r.Fixed(len(labelFrame))) != labelFrame || r.U8() != 0 {
		r.Fail("label of a frame")
	}
	topic = string(r.Vec8(api.MaxTopic))
	frame = r.Rest()
	if err := r.Done(); err != nil {
		return "", nil, err
	}
	_, err = key.ParseAddress(topic)
	return topic, frame, err
}
