package relay

import (
	"context"
	"fmt"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

type requestRow struct {
	ID           api.RequestID
	Conversation api.ConversationID
	Number       uint64
	Requester    api.DeviceID
	Target       api.DeviceID
	Signature    [key.SignatureSize]byte
	At           int64
	Answered     bool
}

type answerRow struct {
	Request   api.RequestID
	Device    api.DeviceID
	Ephemeral [key.PublicKeySize]byte
	Sealed    []byte
}

func (r *requestRow) fields() []any {
	return []any{&r.ID, &r.Conversation, &r.Number, &r.Requester, &r.Target, &r.Signature, &r.At, &r.Answered}
}
func (r *answerRow) fields() []any { return []any{&r.Request, &r.Device, &r.Ephemeral, &r.Sealed} }

var (
	requests = table[requestRow, *requestRow]{store.Requests}
	answers  = table[answerRow, *answerRow]{store.Answers}
)

func (r requestRow) notice() api.Notice {
	return api.Notice{Conversation: r.Conversation, Number: r.Number, Request: r.ID}
}

// Request stores a key request of the calling device and tells the target. The same request again is no error and is not told
// again. It returns ErrForbidden if the device's person is not a member, or the target has no part in the session; ErrUnverified
// for a signature that is not the device's; ErrQuota if the device has MaxOpenRequests that are not answered.
func (c *Conversations) Request(ctx context.Context, device api.DeviceID, q api.KeyRequest) (api.RequestID, error) {
	if q.Requester != device || q.Number == 0 || q.Number >= 1<<62 || len(q.Signature) != key.SignatureSize {
		return api.RequestID{}, fmt.Errorf("%w: key request", api.ErrMalformed)
	}
	err := c.b.store.Update(ctx, func(tx store.Tx) error {
		by, err := caller(tx, device)
		if err != nil {
			return err
		}
		if err := by.verify(q.Message(), q.Signature); err != nil {
			return err
		}
		if _, found, err := requests.get(tx, q.ID()); err != nil || found {
			return err
		}
		if err := allowed(tx, q, by); err != nil {
			return err
		}
		row := requestRow{q.ID(), q.Conversation, q.Number, device, q.Target, [key.SignatureSize]byte(q.Signature), c.b.now(), false}
		if err := requests.insert(tx, row); err != nil {
			return err
		}
		return c.b.notify(tx, by, api.KeyRequested, row.notice(), []api.DeviceID{q.Target})
	})
	if err != nil {
		return api.RequestID{}, err
	}
	return q.ID(), nil
}

// verify checks a signature by the device's mailbox key.
func (r deviceRow) verify(message, signature []byte) error {
	k, err := key.ParseVerifyKey(r.Mailbox[:])
	if err != nil {
		return err
	}
	if err := k.VerifyStatement(message, signature); err != nil {
		return api.Malformed(err)
	}
	return nil
}

// allowed finds out whether a device may make the request.
func allowed(tx store.Tx, q api.KeyRequest, by deviceRow) error {
	if _, _, err := membership(tx, q.Conversation, by.Person); err != nil {
		return err
	}
	if _, err := another(tx, q.Target); err != nil {
		return err
	}
	s, found, err := sessions.get(tx, q.Conversation, q.Number)
	if err != nil || !found {
		return or(err, api.ErrNotFound, fmt.Sprintf("session %d", q.Number))
	}
	_, has, err := envelopes.get(tx, q.Conversation, q.Number, q.Target)
	if err != nil || !has && s.Initiator != q.Target || q.Target == by.ID {
		return or(err, api.ErrForbidden, "the target has no part in the session")
	}
	open, err := requests.scan(tx, api.MaxOpenRequests, "requester", by.ID, false)
	if err == nil && len(open) >= api.MaxOpenRequests {
		err = fmt.Errorf("%w: %d key requests that are not answered", api.ErrQuota, api.MaxOpenRequests)
	}
	return err
}

// GetRequest returns a key request to its requester or target, or ErrForbidden. Answered says whether it was answered.
func (c *Conversations) GetRequest(ctx context.Context, device api.DeviceID, id api.RequestID) (q api.KeyRequest, answered bool, err error) {
	err = c.b.store.View(ctx, func(r store.Reader) error {
		if _, err := caller(r, device); err != nil {
			return err
		}
		row, found, err := requests.get(r, id)
		if err != nil || !found || row.Requester != device && row.Target != device {
			return or(err, api.ErrForbidden, "key request")
		}
		q = api.KeyRequest{Conversation: row.Conversation, Number: row.Number, Requester: row.Requester, Target: row.Target,
			Signature: row.Signature[:]}
		answered = row.Answered
		return nil
	})
	return q, answered, err
}

// Fulfil answers a key request with an envelope for its requester, which reads it through Initial. Only the target answers, and
// once: the same answer again is no error, another one is ErrExists. ErrForbidden means that the requester is no member any
// longer, or was revoked, or that the request is not for the calling device or is gone.
func (c *Conversations) Fulfil(ctx context.Context, device api.DeviceID, id api.RequestID, e api.Envelope) error {
	if err := e.Check(); err != nil {
		return err
	}
	return c.b.store.Update(ctx, func(tx store.Tx) error {
		by, err := caller(tx, device)
		if err != nil {
			return err
		}
		row, found, err := requests.get(tx, id)
		if err != nil {
			return err
		}
		if !found || row.Target != device || row.Requester != e.Device {
			return fmt.Errorf("%w: key request", api.ErrForbidden)
		}
		answer := answerRow{id, device, [key.PublicKeySize]byte(e.Ephemeral), e.Sealed}
		if before, found, err := answers.get(tx, id); err != nil || found {
			if err == nil && (before.Ephemeral != answer.Ephemeral || string(before.Sealed) != string(answer.Sealed)) {
				err = fmt.Errorf("%w: another answer", api.ErrExists)
			}
			return err
		}
		requester, err := another(tx, row.Requester)
		if err != nil {
			return err
		}
		if _, _, err := membership(tx, row.Conversation, requester.Person); err != nil {
			return err
		}
		row.Answered = true
		if err := requests.put(tx, row); err != nil {
			return err
		}
		if err := answers.insert(tx, answer); err != nil {
			return err
		}
		return c.b.notify(tx, by, api.KeyAnswered, row.notice(), []api.DeviceID{row.Requester})
	})
}

// answersFor returns the answers to a device's requests for a session.
func answersFor(r store.Reader, id api.ConversationID, number uint64, device api.DeviceID) ([]api.Received, error) {
	all, err := requests.scan(r, api.MaxEnvelopes, "once", id, number, device)
	if err != nil {
		return nil, err
	}
	var out []api.Received
	for _, q := range all {
		a, found, err := answers.get(r, q.ID)
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		by, _, err := devices.get(r, a.Device)
		if err != nil {
			return nil, err
		}
		envelope := api.Envelope{Device: device, Ephemeral: a.Ephemeral[:], Sealed: a.Sealed}
		out = append(out, api.Received{By: a.Device, Person: by.Person, Envelope: envelope})
	}
	return out, nil
}
