package trefoil

import (
	"cmp"
	"context"
	"time"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// chatKind is what a run works on by itself, one thing after the other.
type chatKind uint8

const (
	aSpace   chatKind = iota // a space
	aTalk                    // a direct conversation: it sends and hands over
	aDevice                  // what comes for direct conversations, of all of them: it receives and is maintained
	aLinking                 // the linking of a device: it is maintained, sends and hands over; what comes, comes as to a space
)

// chatKey names a chat of a run.
type chatKey struct {
	kind chatKind
	id   state.ID
}

func (k chatKey) compare(o chatKey) int {
	return cmp.Or(cmp.Compare(k.kind, o.kind), k.id.Compare(o.id))
}

// rows are those of all chats of one kind.
type rows interface {
	List(context.Context) ([]state.ID, error)
	Inbox(ctx context.Context, id state.ID, after uint64) ([]state.Incoming, error)
	Flush(ctx context.Context, id state.ID, send func(context.Context, state.Outgoing) state.Delivery) (time.Duration, error)
	take(ctx context.Context, id state.ID, f func(taker)) error
}

// taker is a transaction that takes things out of an inbox.
type taker interface {
	Take(seq uint64) bool
	InCommit(store.Hook)
}

// vaultRows are the rows in a vault.
type vaultRows[V state.Value[V]] struct{ *state.Vault[V] }

func (v vaultRows[V]) take(ctx context.Context, id state.ID, f func(taker)) error {
	return v.Update(ctx, id, func(tx *state.Tx[V]) error { f(tx); return nil })
}

// rows returns the rows of chats of a kind.
func (c *Client) rows(k chatKind) rows {
	switch k {
	case aTalk:
		return vaultRows[storedTalk]{bodyOf(c).directs.talks}
	case aLinking:
		return vaultRows[storedLink]{bodyOf(c).links}
	}
	return vaultRows[spaceValue]{bodyOf(c).spaces}
}

// chats returns what lies in the store.
func (c *Client) chats(ctx context.Context) (all []chatKey, err error) {
	for _, k := range []chatKind{aSpace, aTalk, aLinking} {
		ids, err := c.rows(k).List(ctx)
		if err != nil {
			return all, err
		}
		for _, id := range ids {
			all = append(all, chatKey{k, id})
		}
	}
	has, err := c.hasPerson(ctx)
	if has {
		all = append(all, chatKey{aDevice, bodyOf(c).directs.endpoint.Device})
	}
	return all, err
}
