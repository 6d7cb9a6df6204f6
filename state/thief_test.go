package state

import (
	"bytes"

	"github.com/trefoil-im/trefoil/state/store"
)

// Thief has all bytes of a store's files and the key of the vault, and tries what it can.
type Thief struct{ ring *ring }

// Rob carves data keys out of raw bytes: at every place where something lies that was sealed under key, whatever number of
// data keys it holds, in whichever version of the row.
func Rob(raw []byte, key []byte, database [16]byte, versions uint64) Thief {
	program := newSealKey(key)
	s := vaultSlot(program, database)
	found := &ring{}
	mark := append([]byte{0, sealFormat}, program.id[:]...)
	for at := 0; ; {
		i := bytes.Index(raw[at:], mark)
		if i < 0 {
			return Thief{found}
		}
		at += i
		for n := 1; n <= maxDataKeys; n++ {
			size := headerSize + 8 + 2 + n*KeySize + 16
			if at+size > len(raw) {
				break
			}
			for version := range versions {
				if plain, err := s.open(roleKeys, "keys", version+1, raw[at:at+size]); err == nil {
					var r ring
					if r.readKeys(plain) == nil {
						found.keys = append(found.keys, r.keys...)
					}
				}
			}
		}
		at++
	}
}

// Keys returns how many different data keys the thief has.
func (t Thief) Keys() int {
	names := make(map[keyID]bool)
	for _, k := range t.ring.keys {
		names[k.id] = true
	}
	return len(names)
}

// Opens returns the item of an inbox that was recorded together with the head of its row, or nil.
func (t Thief) Opens(k store.Kind, id ID, head store.Head, it store.Item) []byte {
	s := slot{ring: t.ring, kind: k, id: id}
	c, err := openHead(s, head)
	if err != nil {
		return nil
	}
	plain, err := s.with(&c).open(roleInbox, "", it.Seq, it.Data)
	if err != nil {
		return nil
	}
	return plain
}
