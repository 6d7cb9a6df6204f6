package api

import (
	"crypto/sha256"
)

// Challenge is what a device signs to log in.
type Challenge struct {
	Challenge []byte `json:"challenge"` // opaque to the device
	Until     int64  `json:"until"`     // it can be answered
}

// Login answers a challenge.
type Login struct {
	Device    DeviceID `json:"device"`
	Challenge []byte   `json:"challenge"`
	Signature []byte   `json:"signature"` // by the device's mailbox key, of the statement LoginProof: see session.Device.Sign
}

// Token is what a device shows with each request. Whoever has it is taken for the device, so it must be kept secret.
type Token struct {
	Token string `json:"token"`
	Until int64  `json:"until"` // it is valid
}

const labelLogin = "trefoil/relay login"

// LoginProof returns what the mailbox key of a device signs to log in at a relay: a label, the digest of the relay's name, the
// device and the digest of the challenge. The name is what the device itself calls the relay: the host, and the port if there
// is one, of its URL. So another relay cannot pass the challenge on and use the answer.
func LoginProof(relay string, device DeviceID, challenge []byte) []byte {
	name, digest := sha256.Sum256([]byte(relay)), sha256.Sum256(challenge)
	return labelled(labelLogin, name[:], device[:], digest[:])
}
