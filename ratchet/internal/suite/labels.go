package suite

// Every domain-separation label of the protocol. They are part of the format: a changed label is another protocol.

// protocol stands in front of every label.
const protocol = "trefoil/2 "

// Labels of hashes (H), followed directly by what is hashed.
const (
	HashSpace = protocol + "space"
	HashEpoch = protocol + "epoch"
)

// What follows HashEpoch: the kind of epoch.
const (
	TagGenesis = 0x00
	TagCommit  = 0x01
	TagRekey   = 0x02
)

// Messages of MAC.
const (
	MACPPRF    = protocol + "pprf"
	macStep    = "\x01"
	MACConfirm = protocol + "rekey confirm"
)

// Labels of Expand.
const (
	ExpandHeaderKey     = "header key"
	ExpandCommitKey     = "commit key"
	ExpandSenderRoot    = "sender root"
	ExpandCommitRoot    = "commit root"
	ExpandAuthenticator = "authenticator"
	expandRekeyBody     = "rekey body"
)

// Labels of HashToScalar and HashTo32.
const (
	ScalarCommitNonce    = "commit nonce"
	ScalarDLEQNonce      = "dleq nonce"
	ScalarKeyUpdateNonce = "key update nonce"
	ChallengeDLEQ        = "dleq"
	ChallengeKeyUpdate   = "key update"
)

// Labels of signatures.
const (
	SignOwner        = "owner"
	SignMessage      = "message"
	SignIntroduction = "introduction"
	SignAdmission    = "admission"
	SignInvite       = "invite"
	SignRekey        = "rekey"
	SignTicket       = "ticket"
	SignResync       = "resync"
	SignRevoke       = "revoke"
	SignLeave        = "leave"
	SignRoster       = "roster"
)

// Labels of HPKE.
const (
	HPKEIntroduction = "introduction"
	HPKEResync       = "resync"
	HPKETicket       = "ticket"
	HPKERekey        = "rekey"
	HPKEInvite       = "invite"
	HPKEDirect       = "direct"
)
