package session

import (
	"math"
	"slices"
	"time"
)

// restoreStep is how many numbers are passed over after a backup was restored: more than a device uses between two backups.
const restoreStep = 1 << 16

// maxRestoreMilli is the latest time that counts, in milliseconds since 1970, in the year 2248: a clock that is wrong makes no
// generation that a peer refuses (see maxGenerationStep), and leaves numbers for messages.
const maxRestoreMilli = 1 << 43

// restoreMessages is the same for the numbers of messages. At a time of n milliseconds since 1970 the numbers go on above
// n << messagesPerMilli, if that is more.
const (
	restoreMessages  = 1 << 32
	messagesPerMilli = 16
)

// Restore returns the pair of a slot that comes from a backup, for the program to go on with. It must not go on without: a copy
// sends under numbers that the peer has seen, and what it sends is not read. The sessions in it go on reading, and nothing is
// sent before Initiate has begun another one, with a generation that the lost state has not used. Now tells apart what is
// restored from the same backup twice, or on both sides.
//
// Messages that the lost state has read are read again if the relay repeats them. What the peer sent in a session that the
// backup does not know is not read before the peer sends it again (see Maintain); the peer goes on in the new session once it
// has read a message of it. A relay that repeats what is older does not change that in the hybrid suite. The formats of the
// classic suite do not tell a recorded initiation from a new one: there it can end a direction, until this side calls
// Initiate again.
func (p Pair) Restore(now time.Time) Pair {
	p.sessions = p.sessions.afterRestore(now)
	p.healing = p.healing.restored(now)
	p.moves++
	return p
}

// Restore returns a device that comes from a backup, with new keys in its bundle, under numbers that the lost state has not
// used. Save it and publish its Bundle and new one-time pre-keys. Others that began with keys that were drawn after the
// backup have to begin anew.
func (d Device) Restore(now time.Time) Device {
	d.preKeys = slices.Clone(d.preKeys)
	last := &d.preKeys[len(d.preKeys)-1]
	last.retired = now.UnixMilli()
	d.preKeys = append(d.preKeys, newPreKeys(passOver(last.number), now))
	d.preKeys = d.preKeys[max(0, len(d.preKeys)-maxPreKeys):]
	d.issued = passOver(d.issued)
	return d
}

// restoredNumber returns the number after which those go on that ascend in a slot, for one from a backup in which it was n. The
// time is in it since a generation is also raised by the other side: if that was restored, too, after this side's backup was made,
// the lost state has used numbers beyond n + restoreStep.
func restoredNumber(n uint64, now time.Time) uint64 {
	return max(min(n, math.MaxUint64-restoreStep)+restoreStep, millis(now))
}

func millis(now time.Time) uint64 { return uint64(max(0, min(now.UnixMilli(), maxRestoreMilli))) }

func passOver(n uint32) uint32 { return min(n, math.MaxUint32-restoreStep) + restoreStep }
