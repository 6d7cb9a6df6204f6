// Package relay is the server half of a chat: a directory of people and their devices, conversations, and mailboxes. It moves
// opaque bytes and public keys and never sees a private key or a plaintext.
//
//	s, err := sqlrelay.SQLite(ctx, db)              // or sqlrelay.Postgres, or store.NewMemory
//	r := relay.New(s, relay.Options{Name: "relay.example"})
//	r.Logins.Login(ctx, login)                      // a token for the answer to a challenge
//	r.Directory.Publish(ctx, publication)           // who there is, and with which devices
//	r.Conversations.Begin(ctx, device, proposal)    // create, rotate, add, remove: one way, one transaction
//	r.Mailboxes.Post(ctx, device, k, topic, frame)  // store for every subscriber
//	r.Sweep(ctx)                                    // now and then: expire what nobody took
//
// Every method that writes is one transaction: it is carried out whole, or not at all and with an error. Methods that only read
// write nothing. Each takes the DeviceID of the device that calls; that it is this device, the caller has to make sure of, as
// package httprelay does, which serves all of this over HTTP. All are safe for concurrent use, by several relays on one database too.
//
// Errors have classes and data in package api. After an error of the store, and after an answer that was lost, a call can be made
// again as it was: it has its own key, or the same effect; only Stock answers ErrReused then, if it was done.
//
// What a device may rely on is in docs/RELAY.md, the tables and states in docs/design/relay.md.
package relay
