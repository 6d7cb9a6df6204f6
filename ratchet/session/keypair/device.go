package keypair

import "github.com/trefoil-im/trefoil/ratchet/session/key"

// DeviceKeys are the private keys of a device that was registered by the deployed client.
type DeviceKeys struct {
	Identity PrivateKey[key.Identity]
	PreKey   PrivateKey[key.PreKey]
	Mailbox  SigningKey // whose address is the inbox address
	Inbox    PrivateKey[key.Inbox]
}
