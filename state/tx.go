package state

import (
	"bytes"
	"slices"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/state/store"
)

// Tx is what a caller's function works on inside Create, Update, Batch or Receive: the current value, and everything that is
// to be committed with the next one. It must not be used after the function has returned, nor by several goroutines.
// It shows nothing of what was read when printed.
type Tx[V Value[V]] struct {
	value    V
	set      bool
	progress bool       // retained frames are to be tried again
	all      bool       // all of them
	again    [][32]byte // or these
	outbox   []Outgoing
	inbox    []secret.Bytes
	events   []Event
	sent     []uint64 // to be taken out of the outbox
	taken    []uint64 // and of the inbox
	givenUp  []givenUp
	retained func(frame [32]byte) (Frame, error)
	hooks    []store.Hook
	tried    uint64 // all retained frames were tried at this progress

	base *snapshot[V]       // what is stored; nothing yet in a Create
	keep func(Event) []byte // Options.Keep of the vault, or nil
}

func newTx[V Value[V]](base *snapshot[V], id ID, keep func(ID, Event) []byte) *Tx[V] {
	tx := &Tx[V]{value: base.value, base: base}
	if keep != nil {
		tx.keep = func(e Event) []byte { return keep(id, e) }
	}
	return tx
}

// Value returns the value as it is now: the stored one, or what Set set last.
func (tx *Tx[V]) Value() V { return tx.value }

// Set makes v the next value.
func (tx *Tx[V]) Set(v V) { tx.value, tx.set = v, true }

// Send puts a frame into the outbox. To is a destination in the caller's own terms, at most 1,024 bytes: a topic, a
// mailbox. Nothing is sent before the commit; Flush sends it afterwards.
func (tx *Tx[V]) Send(to string, frame []byte) {
	tx.outbox = append(tx.outbox, Outgoing{To: to, Data: bytes.Clone(frame)})
}

// Deliver puts what was read into the inbox, to be collected with Drain. The key that read it is used up by the same
// commit, so this is the only copy.
func (tx *Tx[V]) Deliver(data []byte) { tx.inbox = append(tx.inbox, secret.New(data)) }

// Emit reports an event once the commit is made. What Options.Keep returns for it goes into the inbox.
func (tx *Tx[V]) Emit(e Event) {
	tx.events = append(tx.events, e)
	if tx.keep == nil {
		return
	}
	if b := tx.keep(e); b != nil {
		tx.Deliver(b)
	}
}

// Waiting returns how many frames for a destination wait in the outbox, those of this transaction included.
func (tx *Tx[V]) Waiting(to string) (n int) {
	if len(tx.base.outbox) > 0 {
		lane := tx.base.contents.lane(to)
		for _, h := range tx.base.outbox {
			if h.Lane == lane && !slices.Contains(tx.sent, h.Seq) {
				n++
			}
		}
	}
	for _, out := range tx.outbox {
		if out.To == to {
			n++
		}
	}
	return n
}

// Withdraw takes a frame out of the outbox that was not sent. It returns false if there is none of this number: it was sent, or
// somebody else withdrew it. So what lies there for a destination that Flush does not serve can be replaced in one commit.
func (tx *Tx[V]) Withdraw(seq uint64) bool { return takeOut(&tx.sent, tx.base.outbox, seq) }

// Take takes an item out of the inbox, as Drain does once it was read. It returns false if there is none of this number:
// somebody else took it. With InCommit, rows are written in the commit that takes out the message that they were made of.
func (tx *Tx[V]) Take(seq uint64) bool { return takeOut(&tx.taken, tx.base.inbox, seq) }

func takeOut(out *[]uint64, held []store.Held, seq uint64) bool {
	is := func(h store.Held) bool { return h.Seq == seq }
	if slices.Contains(*out, seq) || !slices.ContainsFunc(held, is) {
		return false
	}
	*out = append(*out, seq)
	return true
}

// RetryRetained says that frames which could not be read before may be readable now: those named by Frame.Hash, or any if
// none is named. Retained ones are tried again by this Receive, or after an Update by the next Receive or Retry. That they
// have to be is part of the commit, and which they are is not: after a restart all are tried.
func (tx *Tx[V]) RetryRetained(frames ...[32]byte) {
	tx.progress = true
	tx.all = tx.all || len(frames) == 0
	tx.again = append(tx.again, frames...)
}

// Retained returns a frame that is retained, named by Frame.Hash; within ReceiveAll also one that was received before in the same
// commit. The error is ErrNotFound if there is none, ErrCorrupt if it is damaged, or the store's.
func (tx *Tx[V]) Retained(frame [32]byte) (Frame, error) { return tx.retained(frame) }

// GiveUp takes frames, named by Frame.Hash, out of those that are retained. The verdict of the reason says what becomes of them.
// With Discard they are done with and may be acknowledged. With any other, which is right for a bound, they are as if they
// had never come: they are not acknowledged, and the relay gives them again. A frame that is not retained is left alone; the
// one that is being received may be given up, too.
func (tx *Tx[V]) GiveUp(reason error, frames ...[32]byte) {
	for _, f := range frames {
		tx.givenUp = append(tx.givenUp, givenUp{f, reason})
	}
}

// InCommit runs hook in the transaction that commits this change, after all else is written: sqlstore.Rows makes one that
// writes rows of the program's own. Rows and value are durable together or not at all, so that what was done for a message is
// done once. The hook may run several times, as the function that is given this Tx may, and only what the last run wrote
// remains. The commit shares no transaction with others, and writes the value even if nothing else has changed it. A store
// that is no store.Hooked refuses it.
func (tx *Tx[V]) InCommit(hook store.Hook) { tx.hooks = append(tx.hooks, hook) }

// idle reports whether there is nothing to commit.
func (tx *Tx[V]) idle() bool {
	return !tx.set && !tx.progress && tx.tried == 0 && len(tx.outbox)+len(tx.inbox)+len(tx.sent)+len(tx.taken)+len(tx.hooks) == 0
}
