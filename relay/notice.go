package relay

import (
	"crypto/rand"

	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

// notify puts a notice into some mailboxes. Its topic is the conversation.
func (b base) notify(tx store.Tx, by deviceRow, kind api.MessageKind, n api.Notice, targets []api.DeviceID) error {
	data, err := n.MarshalBinary()
	if err != nil {
		return err
	}
	m := messageRow{Kind: kind, Topic: n.Conversation.String(), Sender: by.ID, At: b.now(), Data: data}
	rand.Read(m.ID[:])
	rand.Read(m.Key[:])
	_, err = b.enqueue(tx, m, by, targets)
	return err
}
