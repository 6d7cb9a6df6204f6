package store

import "github.com/trefoil-im/trefoil/relay/api"

// Sizes in bytes of what is stored and has one size. Those of keys and bundles are the formats of packages key and directory.
const (
	addressSize   = 32
	keySize       = 57
	signatureSize = 114
	bundleSize    = 2690
	oneTimeSize   = 1417
	hashSize      = 32
	requestKey    = 16
)

// maxDigest bounds the state of SHA-256, which takes 108 bytes.
const maxDigest = 256

// Version is the version of the schema. It is part of the stored form: Schema is not edited after a release, a later version
// comes with the steps from the one before.
const Version = 1

// The tables of people and devices. Times are milliseconds since 1970.
var (
	Persons = &Table{Name: "persons", Keys: 1, Columns: []Column{
		Fixed("address", addressSize), Number("version", 1), Number("leaf", 0)}}
	Registrations = &Table{Name: "registrations", Keys: 1, Columns: []Column{
		Fixed("person", addressSize), Bytes("registration", 1, api.MaxRegistration)},
		Refer: []Reference{{[]string{"person"}, Persons}}}
	Deletions = &Table{Name: "deletions", Keys: 1, Columns: []Column{
		Fixed("person", addressSize), Fixed("key", keySize), Fixed("signature", signatureSize), Number("at", 0), Choice("swept", 0, 1)},
		Refer: []Reference{{[]string{"person"}, Persons}}, Indexes: []Index{{"swept", []string{"swept"}, false}}}
	Devices = &Table{Name: "devices", Keys: 1, Columns: []Column{
		Fixed("device", hashSize), Fixed("person", addressSize), Fixed("name", keySize), Fixed("identity", keySize),
		Number("renewals", 0), Fixed("mailbox", keySize), Number("number", 1), Fixed("bundle", bundleSize),
		Number("highest", 0), Number("unclaimed", 0), Number("added", 1), Number("renewed", 1)},
		Refer: []Reference{{[]string{"person"}, Persons}},
		Indexes: []Index{{"person", []string{"person"}, false}, {"name", []string{"person", "name"}, true},
			{"mailbox", []string{"mailbox"}, true}}}
	Revocations = &Table{Name: "revocations", Keys: 1, Columns: []Column{
		Fixed("device", hashSize), Number("version", 1), Number("at", 0), Choice("swept", 0, 1)},
		Refer: []Reference{{[]string{"device"}, Devices}}, Indexes: []Index{{"swept", []string{"swept"}, false}}}
	Bundles = &Table{Name: "bundles", Keys: 2, Columns: []Column{
		Fixed("device", hashSize), Number("number", 1), Fixed("bundle", bundleSize), Number("until", 0)},
		Refer: []Reference{{[]string{"device"}, Devices}}, Indexes: []Index{{"until", []string{"until"}, false}}}
	OneTime = &Table{Name: "onetime", Keys: 2, Columns: []Column{
		Fixed("device", hashSize), Number("id", 1), Fixed("prekey", oneTimeSize)},
		Refer: []Reference{{[]string{"device"}, Devices}}}
	Claims = &Table{Name: "claims", Keys: 3, Columns: []Column{
		Fixed("requester", hashSize), Fixed("request", requestKey), Fixed("device", hashSize), Fixed("person", addressSize),
		Number("number", 1), Fixed("prekey", oneTimeSize), Number("at", 0)},
		Refer:   []Reference{{[]string{"requester"}, Devices}, {[]string{"device"}, Devices}, {[]string{"person"}, Persons}},
		Indexes: []Index{{"budget", []string{"device", "person"}, false}, {"at", []string{"at"}, false}}}
)

// The tables of logins: the key that vouches for challenges, and the digests of tokens.
var (
	Secrets = &Table{Name: "secrets", Keys: 1, Columns: []Column{Choice("one", 1, 1), Fixed("secret", hashSize)}}
	Tokens  = &Table{Name: "tokens", Keys: 1, Columns: []Column{
		Fixed("token", hashSize), Fixed("device", hashSize), Fixed("challenge", hashSize), Number("until", 0)},
		Refer: []Reference{{[]string{"device"}, Devices}},
		Indexes: []Index{{"challenge", []string{"challenge"}, true}, {"device", []string{"device", "until"}, false},
			{"until", []string{"until"}, false}}}
)

// The tables of the log: its leaves, the hashes of its tree, and in one row its size.
var (
	Leaves = &Table{Name: "leaves", Keys: 1, Columns: []Column{
		Number("leaf", 0), Fixed("person", addressSize), Number("version", 1), Fixed("hash", hashSize)},
		Refer:   []Reference{{[]string{"person"}, Persons}},
		Indexes: []Index{{"person", []string{"person", "version"}, true}}}
	Hashes = &Table{Name: "hashes", Keys: 1, Columns: []Column{Number("place", 0), Fixed("hash", hashSize)}}
	Tree   = &Table{Name: "tree", Keys: 1, Columns: []Column{Choice("one", 1, 1), Number("size", 1)}}
)

// The tables of conversations.
var (
	Conversations = &Table{Name: "conversations", Keys: 1, Columns: []Column{
		Fixed("conversation", hashSize), Choice("kind", 1, 2), Number("at", 0)}}
	Pairs = &Table{Name: "pairs", Keys: 2, Columns: []Column{
		Fixed("low", addressSize), Fixed("high", addressSize), Fixed("conversation", hashSize)},
		Refer: []Reference{{[]string{"low"}, Persons}, {[]string{"high"}, Persons},
			{[]string{"conversation"}, Conversations}},
		Indexes: []Index{{"conversation", []string{"conversation"}, true}}, Below: []string{"low", "high"}}
	Sessions = &Table{Name: "sessions", Keys: 2, Columns: []Column{
		Fixed("conversation", hashSize), Number("number", 1), Fixed("initiator", hashSize), Fixed("identity", keySize),
		Number("at", 0)},
		Refer:   []Reference{{[]string{"conversation"}, Conversations}, {[]string{"initiator"}, Devices}},
		Indexes: []Index{{"initiator", []string{"initiator", "conversation"}, false}}}
	Currents = &Table{Name: "currents", Keys: 1, Columns: []Column{
		Fixed("conversation", hashSize), Number("number", 1)},
		Refer: []Reference{{[]string{"conversation"}, Conversations}, {[]string{"conversation", "number"}, Sessions}}}
	Members = &Table{Name: "members", Keys: 2, Columns: []Column{
		Fixed("conversation", hashSize), Fixed("person", addressSize), Number("since", 1)},
		Refer:   []Reference{{[]string{"conversation"}, Conversations}, {[]string{"person"}, Persons}},
		Indexes: []Index{{"person", []string{"person"}, false}}}
	Leavers = &Table{Name: "leavers", Keys: 2, Columns: []Column{
		Fixed("conversation", hashSize), Fixed("person", addressSize)},
		Refer: []Reference{{[]string{"conversation", "person"}, Members}}}
	Envelopes = &Table{Name: "envelopes", Keys: 3, Columns: []Column{
		Fixed("conversation", hashSize), Number("number", 1), Fixed("device", hashSize), Fixed("ephemeral", keySize),
		Bytes("sealed", 1, api.MaxSealed)},
		Refer:   []Reference{{[]string{"conversation", "number"}, Sessions}, {[]string{"device"}, Devices}},
		Indexes: []Index{{"device", []string{"device", "conversation"}, false}}}
	Proposals = &Table{Name: "proposals", Keys: 2, Columns: []Column{
		Fixed("device", hashSize), Fixed("request", requestKey), Fixed("digest", hashSize), Fixed("conversation", hashSize),
		Number("number", 1)},
		Refer: []Reference{{[]string{"device"}, Devices}, {[]string{"conversation", "number"}, Sessions}}}
	Budgets = &Table{Name: "budgets", Keys: 2, Columns: []Column{
		Fixed("person", addressSize), Number("day", 0), Number("sessions", 1), Number("size", 0)},
		Refer:   []Reference{{[]string{"person"}, Persons}},
		Indexes: []Index{{"day", []string{"day"}, false}}}
	Requests = &Table{Name: "requests", Keys: 1, Columns: []Column{
		Fixed("request", hashSize), Fixed("conversation", hashSize), Number("number", 1), Fixed("requester", hashSize),
		Fixed("target", hashSize), Fixed("signature", signatureSize), Number("at", 0), Choice("answered", 0, 1)},
		Refer: []Reference{{[]string{"conversation", "number"}, Sessions}, {[]string{"requester"}, Devices},
			{[]string{"target"}, Devices}},
		Indexes: []Index{{"once", []string{"conversation", "number", "requester", "target"}, true},
			{"requester", []string{"requester", "answered"}, false}, {"open", []string{"answered", "at"}, false}}}
	Answers = &Table{Name: "answers", Keys: 1, Columns: []Column{
		Fixed("request", hashSize), Fixed("device", hashSize), Fixed("ephemeral", keySize), Bytes("sealed", 1, api.MaxSealed)},
		Refer: []Reference{{[]string{"request"}, Requests}, {[]string{"device"}, Devices}}}
)

// The tables of mailboxes.
var (
	Mailboxes = &Table{Name: "mailboxes", Keys: 1, Columns: []Column{
		Fixed("device", hashSize), Number("last", 0), Number("topics", 0)},
		Refer: []Reference{{[]string{"device"}, Devices}}}
	Subscriptions = &Table{Name: "subscriptions", Keys: 2, Columns: []Column{
		Bytes("topic", 1, api.MaxTopic), Fixed("device", hashSize)},
		Refer:   []Reference{{[]string{"device"}, Mailboxes}},
		Indexes: []Index{{"device", []string{"device"}, false}}}
	Messages = &Table{Name: "messages", Keys: 1, Columns: []Column{
		Fixed("message", requestKey), Choice("kind", 1, 7), Bytes("topic", 1, api.MaxTopic), Fixed("sender", hashSize),
		Fixed("request", requestKey), Number("at", 0), Bytes("data", 0, api.MaxFrame)},
		Refer:   []Reference{{[]string{"sender"}, Devices}},
		Indexes: []Index{{"once", []string{"sender", "request"}, true}, {"at", []string{"at"}, false}}}
	Items = &Table{Name: "items", Keys: 2, Columns: []Column{
		Fixed("device", hashSize), Number("seq", 1), Fixed("message", requestKey), Choice("kind", 1, 7),
		Bytes("topic", 1, api.MaxTopic), Fixed("sender", addressSize), Number("size", 0)},
		Refer: []Reference{{[]string{"device"}, Mailboxes}, {[]string{"message"}, Messages},
			{[]string{"sender"}, Persons}},
		Indexes: []Index{{"message", []string{"message"}, false}}}
	Tombstones = &Table{Name: "tombstones", Keys: 3, Columns: []Column{
		Fixed("device", hashSize), Bytes("topic", 1, api.MaxTopic), Choice("reason", 1, 2), Number("seq", 1), Number("count", 1)},
		Refer:   []Reference{{[]string{"device"}, Mailboxes}},
		Indexes: []Index{{"seq", []string{"device", "seq"}, true}}}
	Settled = &Table{Name: "settled", Keys: 2, Columns: []Column{Fixed("message", requestKey), Fixed("device", hashSize)},
		Refer: []Reference{{[]string{"message"}, Messages}, {[]string{"device"}, Mailboxes}}}
	Usage = &Table{Name: "usage", Keys: 2, Columns: []Column{
		Fixed("sender", addressSize), Fixed("device", hashSize), Number("size", 0)},
		Refer: []Reference{{[]string{"sender"}, Persons}, {[]string{"device"}, Mailboxes}}}
	Freed = &Table{Name: "freed", Keys: 2, Columns: []Column{
		Fixed("sender", addressSize), Fixed("device", hashSize), Number("size", 1)},
		Refer: []Reference{{[]string{"sender", "device"}, Usage}}}
)

// The tables of blobs.
var (
	Blobs = &Table{Name: "blobs", Keys: 2, Columns: []Column{
		Fixed("owner", addressSize), Fixed("address", hashSize), Number("size", 1), Number("received", 0),
		Bytes("digest", 1, maxDigest), Number("at", 0)},
		Refer:   []Reference{{[]string{"owner"}, Persons}},
		Indexes: []Index{{"address", []string{"address"}, false}, {"at", []string{"at"}, false}}}
	Chunks = &Table{Name: "chunks", Keys: 3, Columns: []Column{
		Fixed("owner", addressSize), Fixed("address", hashSize), Number("start", 0), Bytes("data", 1, api.ChunkSize)},
		Refer: []Reference{{[]string{"owner", "address"}, Blobs}}}
	Storage = &Table{Name: "storage", Keys: 1, Columns: []Column{Fixed("person", addressSize), Number("size", 0)},
		Refer: []Reference{{[]string{"person"}, Persons}}}
)

// Schema is all tables. Each stands after those that it refers to. It must not be written to.
var Schema = []*Table{
	Persons, Registrations, Deletions, Devices, Revocations, Bundles, OneTime, Claims,
	Secrets, Tokens,
	Leaves, Hashes, Tree,
	Conversations, Pairs, Sessions, Currents, Members, Leavers, Envelopes, Proposals, Budgets, Requests, Answers,
	Mailboxes, Subscriptions, Messages, Items, Tombstones, Settled, Usage, Freed,
	Blobs, Chunks, Storage,
}
