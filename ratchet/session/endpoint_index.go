package session

import (
	"context"
	"errors"
	"sync"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
)

// index is which mailbox and which peer belong to which slot. It is read from the vault once, follows what an endpoint does, and is
// read again for a mailbox that it does not know.
type index struct {
	mu        sync.Mutex
	slots     map[state.ID]place // nil until it is read
	byMailbox map[string]state.ID
	byPeer    map[string]state.ID
}

// place is where a slot reads, and whom.
type place struct {
	mailbox key.Address
	peer    string
}

// name tells claims apart.
func (c claim) name() string { return string(c.person[:]) + string(c.identity.Bytes()) }

// mailbox returns the slot that reads at a mailbox.
func (x *index) mailbox(ctx context.Context, sessions *state.Vault[Session], mailbox string) (state.ID, bool, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.read(ctx, sessions); err != nil {
		return state.ID{}, false, err
	}
	if _, ok := x.byMailbox[mailbox]; !ok { // another process may have made the slot
		x.slots = nil
		if err := x.read(ctx, sessions); err != nil {
			return state.ID{}, false, err
		}
	}
	id, ok := x.byMailbox[mailbox]
	return id, ok, nil
}

// peer returns the slot of a device with those keys.
func (x *index) peer(ctx context.Context, sessions *state.Vault[Session], c claim) (state.ID, bool, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.read(ctx, sessions); err != nil {
		return state.ID{}, false, err
	}
	id, ok := x.byPeer[c.name()]
	return id, ok, nil
}

func (x *index) mailboxes(ctx context.Context, sessions *state.Vault[Session]) (all []key.Address, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.read(ctx, sessions); err != nil {
		return nil, err
	}
	for _, p := range x.slots {
		all = append(all, p.mailbox)
	}
	return all, nil
}

// read reads all slots, if that was not done yet.
func (x *index) read(ctx context.Context, sessions *state.Vault[Session]) error {
	if x.slots != nil {
		return nil
	}
	ids, err := sessions.List(ctx)
	if err != nil {
		return err
	}
	x.slots, x.byMailbox, x.byPeer = make(map[state.ID]place, len(ids)), map[string]state.ID{}, map[string]state.ID{}
	for _, id := range ids {
		s, err := sessions.Load(ctx, id)
		if errors.Is(err, state.ErrNotFound) {
			continue // deleted just now
		}
		if err != nil {
			x.slots = nil
			return err
		}
		x.put(s)
	}
	return nil
}

// note notes a slot as it is now.
func (x *index) note(s Session) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.slots != nil {
		x.put(s)
	}
}

func (x *index) forget(id state.ID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.remove(id)
}

func (x *index) put(s Session) {
	p := s.Part()
	at := place{p.Mailbox(), claim{p.peer, p.device.Identity()}.name()}
	if x.slots[s.ID()] == at {
		return
	}
	x.remove(s.ID())
	x.slots[s.ID()] = at
	x.byMailbox[at.mailbox.String()], x.byPeer[at.peer] = s.ID(), s.ID()
}

func (x *index) remove(id state.ID) {
	at := x.slots[id]
	delete(x.byMailbox, at.mailbox.String())
	delete(x.byPeer, at.peer)
	delete(x.slots, id)
}
