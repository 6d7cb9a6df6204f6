package session

import "time"

// Limits of the formats and of what is held. What goes beyond one is refused before memory is allocated for it.
const (
	// MaxPlaintext is the size of the largest message, in bytes. An initiation in the classic suite is base64 within JSON
	// within JSON and stays below the 8 MiB that a frame may have.
	MaxPlaintext = 1 << 20

	// rotateAfter is how old the keys of a bundle become, and keepReplaced how long they are kept after they were replaced:
	// longer than frames wait at a relay. Whoever steals a device's keys opens no first messages that are older than both.
	// A session that was not answered for keepReplaced is begun anew, since its keys may be erased at the peer.
	rotateAfter  = 7 * 24 * time.Hour
	keepReplaced = 30 * 24 * time.Hour

	// maxPreKeys is how many bundles' keys a device holds: all that are replaced within keepReplaced, and the present ones.
	// Only with a clock that jumps back and forth there would be more.
	maxPreKeys = 8

	// maxSessions is how many sessions a pair of devices holds side by side: the one that sends, and older or crossed ones
	// that still read what is in flight. Each more is an initiation by one of the two.
	maxSessions = 8

	// maxSeen is how many initiations of one peer are remembered to refuse their repetition, 24 bytes each. Only those
	// that were authenticated as the peer's count, so nobody else can push one out. In the hybrid suite only those of the
	// last maxLate generations are kept.
	maxSeen = 1024

	// maxGenerationStep is how far above all before a peer's generation may be, so that no initiation leaves the pair
	// without a next one: further than Restore goes, and a million times less far than there are generations.
	maxGenerationStep = 1 << 44

	// maxLate is how far below the newest one an initiation may be that was overtaken. All that were accepted in so
	// few generations are among the maxSeen that are remembered, so none of them is taken for one that was not.
	maxLate = 64

	// tellEvery is how often a device tells one peer that it does not read it, at most, and healEvery how often it begins a
	// session for a peer that says so: whoever can damage every frame makes no more of both.
	tellEvery = 10 * time.Minute
	healEvery = 10 * time.Minute

	// tellAgainEvery is how often it says again that messages are missing of which it has said so, for a notice that was lost.
	tellAgainEvery = 24 * time.Hour

	// maxMissing is how many ranges of missing messages are named in one notice, and maxAgain how many messages are sent
	// again in one commit. What is beyond follows with the next.
	maxMissing = 64
	maxAgain   = 64
)

// Labels that separate the domains of what is derived. They are part of the formats.
const (
	labelX3DH      = "quilibrium-x3dh"           // the deployed client's
	labelAgreement = "trefoil/session agreement" // info of the hybrid agreement, before its transcript
	labelProof     = "trefoil/session proof"     // info of the proof in an initiation, before its hash
	labelNotice    = "trefoil/session notice"    // what a device signs that cannot read
	labelSlot      = "trefoil/session slot"      // the ID of a device pair
	labelPerson    = "trefoil/session person"    // the ID of a person's keys
	labelDevice    = "trefoil/session device"    // the ID of a device's own keys
)
