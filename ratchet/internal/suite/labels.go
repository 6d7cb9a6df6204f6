package suite

// Every domain-separation label of the protocol. They are part of the format: a changed label is another protocol. A label
// means one thing in its table.

// protocol stands in front of every label.
const protocol = "trefoil/2 "

// Labels of hashes (H), followed directly by what is hashed.
const (
	HashSpace   = protocol + "space"
	HashPlace   = protocol + "place"
	HashEpoch   = protocol + "epoch"
	HashRoster  = protocol + "roster"
	HashBox     = protocol + "box"
	HashRequest = protocol + "request"
	HashDirect  = protocol + "direct"
	HashInvite  = protocol + "invite"
	HashLink    = protocol + "link"
	HashOrder   = protocol + "order"
	HashJitter  = protocol + "jitter"
)

// What follows HashPlace and HashEpoch: the kind of epoch.
const (
	TagGenesis = 0x00
	TagCommit  = 0x01
	TagRekey   = 0x02
)

// Messages of MAC.
const (
	MACPPRF = protocol + "pprf"
	macStep = "\x01"
)

// Labels of Expand: keys of an epoch.
const (
	ExpandHeaderKey     = "header key"
	ExpandCommitKey     = "commit key"
	ExpandSenderRoot    = "sender root"
	ExpandCommitRoot    = "commit root"
	ExpandAuthenticator = "authenticator"
	ExpandExporter      = "exporter"
)

// Labels of Expand: everything else.
const (
	expandExport          = "export"
	ExpandInviteMask      = "invite mask"
	ExpandInviteAdmission = "invite admission"
	ExpandInviteRequest   = "invite request"
	ExpandInviteTag       = "invite tag"
	ExpandDirectTicket    = "direct ticket"
	ExpandResyncRequest   = "resync request"
	ExpandResyncTag       = "resync tag"
	ExpandRekeyBody       = "rekey body"
)

// Labels of HashToScalar.
const (
	ScalarCommitNonce = "commit nonce"
	ScalarDLEQNonce   = "dleq nonce"
	ScalarInviteMask  = "invite mask"
)

// Labels of HashTo32.
const (
	ChallengeDLEQ       = "dleq"
	Hash32HeaderCheck   = "header check"
	Hash32EpochCheck    = "epoch check"
	Hash32Message       = "message"
	Hash32Fingerprint   = "fingerprint"
	Hash32Authenticator = "authenticator"
)

// Labels of signatures.
const (
	SignOwner     = "owner"
	SignAdmission = "admission"
	SignBinding   = "binding"
	SignInboxKey  = "inbox key"
	SignMessage   = "message"
	SignCommit    = "commit"
	SignInvite    = "invite"
	SignRequest   = "request"
	SignTicket    = "ticket"
	SignRekey     = "rekey"
	SignCurrent   = "current"
	SignRevoke    = "revoke"
	SignLeave     = "leave"
	SignBind      = "bind"
	SignClose     = "close"
	SignRoot      = "root key"
	SignRole      = "role"
	SignProfile   = "profile"
	SignTitle     = "title"
	SignPerson    = "person"
)

// Labels of HPKE.
const (
	HPKETicket  = "ticket"
	HPKERefusal = "refusal"
	HPKEDirect  = "direct"
	HPKEInvite  = "invite"
	HPKEMask    = "mask"
	HPKERekey   = "rekey"
	HPKEShare   = "share"
	HPKERoot    = "root key"
)
