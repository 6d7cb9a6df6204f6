package api

import (
	"time"
)

// Sizes in bytes.
const (
	// MaxFrame is the longest frame, 2 MiB: the longest message of a session with room for what rides on it.
	MaxFrame = 2 << 20
	// MaxTopic is the longest name of a topic, 128 bytes.
	MaxTopic = 128
	// MaxSealed is the longest envelope, 64 KiB: ten times what an initiation or an invite takes.
	MaxSealed = 64 << 10
	// MaxRegistration is the longest registration, 128 KiB: 64 devices with all their fields, in hexadecimal digits, take 60 KB.
	MaxRegistration = 128 << 10
	// ChunkSize is the size of each piece of a blob but the last one, 256 KiB: what a slow line loses when it breaks.
	ChunkSize = 256 << 10
	// MaxBlob is the longest blob, 2 GiB: half of what a person may have if Options do not say.
	MaxBlob = 2 << 30
	// MaxPage is the most that one page of a mailbox holds, 8 MiB: a page is in memory whole. A page with one message may be
	// longer by that message.
	MaxPage = 8 << 20
)

// Numbers.
const (
	// MaxMembers is how many people a conversation has at most. All envelopes are written in one transaction.
	MaxMembers = 1000
	// MaxEnvelopes is how many devices of others a session has at most, for the same reason.
	MaxEnvelopes = 4096
	// MaxAcknowledged is how many items one call acknowledges at most.
	MaxAcknowledged = 1000
	// MaxTopics is how many topics a device subscribes to at most: a mailbox for each pair of devices, and the spaces.
	MaxTopics = 20_000
	// MaxSubscribed is how many topics one call subscribes to at most.
	MaxSubscribed = 1000
	// MaxMailboxProofs is how many mailboxes one call subscribes to at most. Each is one verification.
	MaxMailboxProofs = 256
	// MaxSubscribers is how many devices subscribe to one topic at most: Post stores an item for each in one transaction.
	MaxSubscribers = 16_384
	// MaxSessions is how many sessions the devices of one person begin in 24 hours at most, and MaxSealedADay how many bytes
	// of envelopes they write, 1 GiB. Envelopes are kept as long as their conversation, so that nobody fills the disk of all.
	MaxSessions   = 10_000
	MaxSealedADay = 1 << 30
	// MaxDirectSessions is how many sessions of one direct conversation begin in 24 hours at most, whoever begins them: each pair of
	// devices begins one, and another one when a device has renewed its keys. A device that was off reads all of them.
	MaxDirectSessions = 256
	// MaxBundles is how many replaced bundles of a device are kept at most. A device replaces its bundle every 7 days, and a
	// bundle is kept for ClaimGrace.
	MaxBundles = 32
	// MaxOpenRequests is how many unanswered key requests a device has at most. An answer makes room, and so does time.
	MaxOpenRequests = 64
	// MaxClaims is how many one-time pre-keys of one device one person has claimed in ClaimGrace at most. Beyond that Claim
	// answers without one, so that nobody can use up those of others.
	MaxClaims = 32
	// MaxTokens is how many tokens of one device are valid at once: the next one ends the oldest. A device needs one, and some
	// more if it is several processes.
	MaxTokens = 16
)

// Times.
const (
	// MinKeep is the shortest time that a message is kept that was not acknowledged, as docs/RELAY.md promises.
	MinKeep = 7 * 24 * time.Hour
	// DefaultKeep is the time that a message is kept if Options do not say.
	DefaultKeep = 30 * 24 * time.Hour
	// ClaimGrace is how long a replaced bundle and the answer to a Claim are kept: as long as a device keeps the private keys.
	ClaimGrace = 30 * 24 * time.Hour
	// ChallengeKeep is for how long a challenge can be answered, and TokenKeep for how long a token is valid. A token is valid
	// longer, so that no challenge can be answered again when its token is forgotten.
	ChallengeKeep = 2 * time.Minute
	TokenKeep     = 24 * time.Hour
	// RequestKeep is how long an unanswered key request is kept.
	RequestKeep = 30 * 24 * time.Hour
	// BlobKeep is how long a blob is kept, whether it is complete or not.
	BlobKeep = 30 * 24 * time.Hour
)

// What each person may have, unless Options say otherwise.
const (
	// DefaultShare is how many bytes of one person may be unacknowledged in one mailbox, 64 MiB: 10,000 messages and more. What
	// comes beyond is counted in a tombstone.
	DefaultShare = 64 << 20
	// DefaultStorage is how many bytes of blobs a person may have, 4 GiB.
	DefaultStorage = 4 << 30
)
