package ratchet

// Every domain-separation label of the protocol. They are part of the format: a changed label is another protocol.

// protocol stands in front of every label.
const protocol = "trefoil/2 "

// Labels of hashes (H), followed directly by what is hashed.
const (
	hashSpace = protocol + "space"
	hashEpoch = protocol + "epoch"
)

// What follows hashEpoch: the kind of epoch.
const (
	tagGenesis = 0x00
	tagCommit  = 0x01
	tagRekey   = 0x02
)

// Messages of HMACs.
const (
	macPPRF    = protocol + "pprf"
	macStep    = "\x01"
	macConfirm = protocol + "rekey confirm"
)

// Labels of expand.
const (
	expandHeaderKey     = "header key"
	expandCommitKey     = "commit key"
	expandSenderRoot    = "sender root"
	expandCommitRoot    = "commit root"
	expandAuthenticator = "authenticator"
	expandRekeyBody     = "rekey body"
)

// Labels of h2s and h32.
const (
	scalarCommitNonce    = "commit nonce"
	scalarDLEQNonce      = "dleq nonce"
	scalarKeyUpdateNonce = "key update nonce"
	challengeDLEQ        = "dleq"
	challengeKeyUpdate   = "key update"
)

// Labels of signatures.
const (
	signOwner        = "owner"
	signMessage      = "message"
	signIntroduction = "introduction"
	signAdmission    = "admission"
	signInvite       = "invite"
	signRekey        = "rekey"
	signTicket       = "ticket"
	signResync       = "resync"
	signRevoke       = "revoke"
	signLeave        = "leave"
	signRoster       = "roster"
)

// Labels of boxes.
const (
	boxIntroduction = "introduction"
	boxResync       = "resync"
	boxTicket       = "ticket"
	boxRekey        = "rekey"
	boxInvite       = "invite"
	boxDirect       = "direct"
)
