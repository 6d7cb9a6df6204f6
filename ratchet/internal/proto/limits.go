package proto

// Limits of the wire formats, refused before anything is allocated. They are part of the format: a message beyond one of them
// is malformed at every member, so raising one needs a new version.
const (
	// MaxPlaintext is the longest plaintext of a message, in bytes. It keeps one message from costing every member more
	// than a few packets; files belong beside the conversation, under a key that a message carries.
	MaxPlaintext = 64 << 10

	// MaxApplicationData is the longest application data of an introduction, in bytes: a name and the hash of a picture.
	MaxApplicationData = 1 << 10

	// MaxIntroduction bounds an introduction, which rides in many messages. The longest honest one, with Ed448 and a
	// hybrid inbox key, has about 3.1 KiB.
	MaxIntroduction = 4 << 10

	// maxTicket bounds a ticket. The longest roster, as many introductions and commit trees as the issuer puts beside it, and
	// the counters of 5,000 members fit into it.
	maxTicket = 1 << 20

	// MaxCommits is the greatest number of sealed commits in a message: what its one-byte count can say.
	MaxCommits = 255

	// maxOwners bounds an owner list. An admission is tried with the keys of all owners, so this is also the number of
	// verifications that a forged introduction can cost.
	maxOwners = 16

	// maxRoster bounds a roster, and so the members of a space: half of a ticket is room for 5,100 with Ed25519, for 4,100
	// with Ed448.
	maxRoster = 512 << 10

	// maxGeneration bounds the generation of an epoch in a ticket, so that what is counted on from there cannot overflow.
	// No space makes so many commits.
	maxGeneration = 1 << 48

	// MaxTicketEpochs is the number of epochs in a ticket (§9).
	MaxTicketEpochs = 16

	// minDepth is the smallest depth of the trees of a root: one block of indices, as tests use. Real spaces begin at 14.
	minDepth = 4

	// MaxRevoked bounds the indices of a revoke statement, which rides in tickets: every share of a space of the default
	// capacity.
	MaxRevoked = 10_000

	// MaxRevokes bounds the revoke statements that are held and ride in tickets. An owner sums up what it said before, so
	// there is more than one only while it does not know of all, after its state was restored.
	MaxRevokes = 8

	// MaxSignedMembers bounds the bitmap of a roster statement, which is a message: indices up to 2^18. Spaces that gave
	// out more can do without one until a rekey.
	MaxSignedMembers = 1 << 18 / 8

	// MaxGrant bounds an invite, which has about 2 KiB in fact: it is a link.
	MaxGrant = 8 << 10

	// maxRequest bounds what a request holds: an introduction and a ticket key.
	maxRequest = MaxIntroduction + 3<<10
)
