package api_test

import (
	"encoding/json"
	"fmt"
	"log"
	"time"

	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/relay/api"
)

// A device logs in: it answers the relay's challenge with a signature, for which it gets a token. Package relay/client does this by itself.
func Example() {
	device, err := session.NewDevice(keypair.GenerateSigningKey().Public().Address(), time.Now())
	if err != nil {
		log.Fatal(err)
	}
	id := api.NewDeviceID(device.Person(), device.Identity())

	var asked api.Challenge
	if err := json.Unmarshal([]byte(`{"challenge": "AAECAw==", "until": 1767268800000}`), &asked); err != nil {
		log.Fatal(err)
	}
	proof := api.LoginProof("relay.example", id, asked.Challenge)
	login := api.Login{Device: id, Challenge: asked.Challenge, Signature: device.Sign(proof)}

	fmt.Println("answered until", time.UnixMilli(asked.Until).UTC().Format(time.DateTime))
	mailbox := device.Bundle().Mailbox() // which the relay has of the directory
	fmt.Println("at this relay:", mailbox.VerifyStatement(proof, login.Signature))
	elsewhere := api.LoginProof("other.example", id, asked.Challenge)
	fmt.Println("at another one it is refused:", mailbox.VerifyStatement(elsewhere, login.Signature) != nil)
	// Output:
	// answered until 2026-01-01 12:00:00
	// at this relay: <nil>
	// at another one it is refused: true
}
