package session

// The labels below separate the domains of everything that is derived or signed. They are part of the formats.

// Labels of the deployed peer. It says "quilibrium", and all sessions with it depend on these very bytes.
const (
	labelX3DH   = "quilibrium-x3dh"
	labelRoot   = "quilibrium-double-ratchet"
	labelSealed = "quilibrium-sealed-sender"
)

// Labels of our own formats.
const (
	labelAgreement = "trefoil/session agreement" // info of the hybrid agreement, before its transcript
	labelBundle    = "trefoil/session bundle"    // signed by a device's mailbox key
	labelOneTime   = "trefoil/session one-time"  // signed by a device's mailbox key
	labelSlot      = "trefoil/session slot"      // the ID of a device pair
	labelKEM       = "trefoil/session kem"       // HPKE info, before the caller's
	labelDevice    = "trefoil/session device"    // the ID of a device's own keys
)

// Steps of a chain key: what HMAC-SHA-512 is taken of.
const (
	stepChain   = 0x01
	stepMessage = 0x02
	stepBody    = 0x03
)
