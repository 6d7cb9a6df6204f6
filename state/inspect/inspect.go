// Package inspect holds descriptions of stored values, which tell sizes, numbers and faults and nothing of what is stored.
// Vault.Pending, Vault.Inspect and Vault.Stats of package state return them. They can be printed, logged and written as JSON.
package inspect

import (
	"fmt"
	"strings"

	"github.com/trefoil-im/trefoil/state/store"
)

// Pending is how much of one value waits for somebody.
type Pending struct {
	Outbox   int  // frames to be sent: for Flush
	Inbox    int  // items to be read: for Drain
	Retained int  // frames that could not be read yet
	Retry    bool // there was progress since these were tried: for Retry
}

// Value describes the row of one value.
type Value struct {
	Kind     string // name of the store.Kind
	ID       store.ID
	Version  uint64 // one more with every commit
	Parts    []Part
	Lanes    []Lane // of the outbox, one for each destination, the one with the oldest frame first
	Pending  Pending
	Inbox    int      // bytes
	Retained int      // bytes
	Problems []string // what is damaged, or cannot be read with this key; empty if all is well
}

// Part describes a part of a value.
type Part struct {
	Name     string
	Version  uint64 // of the row, when the part was last written
	Segments int
	Bytes    int // sealed, with the segments
}

// Lane describes the frames for one destination, which it does not name.
type Lane struct {
	First  uint64 // Seq of the next frame
	Frames int
	Bytes  int // sealed
}

// String returns the description in some lines.
func (v Value) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %v version %d\n", v.Kind, v.ID, v.Version)
	for _, p := range v.Parts {
		fmt.Fprintf(&b, "  part %-10s version %d, %d segments, %d bytes\n", p.Name, p.Version, p.Segments, p.Bytes)
	}
	for _, l := range v.Lanes {
		fmt.Fprintf(&b, "  outbox: %d frames for one destination from number %d on, %d bytes\n", l.Frames, l.First, l.Bytes)
	}
	fmt.Fprintf(&b, "  inbox: %d items, %d bytes\n", v.Pending.Inbox, v.Inbox)
	fmt.Fprintf(&b, "  retained: %d frames, %d bytes", v.Pending.Retained, v.Retained)
	if v.Pending.Retry {
		b.WriteString(", to be tried again")
	}
	b.WriteString("\n")
	for _, p := range v.Problems {
		fmt.Fprintf(&b, "  PROBLEM: %s\n", p)
	}
	return b.String()
}

// Stats counts what a vault did since it was opened.
type Stats struct {
	Commits   uint64 // that changed a value
	Conflicts uint64 // commits that ran again because another writer was faster
	Loads     uint64 // values read from the store, not from memory

	Read, Discarded, Retained, Stopped uint64 // received frames, by verdict

	Sent     uint64 // frames taken out of an outbox: delivered or rejected
	Deferred uint64 // frames that the network did not take for now
	Fenced   uint64 // Flushes that ended because another process had taken over
}
