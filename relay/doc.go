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
// write nothing. Most take the DeviceID of the device that calls, and trust it: the caller authenticates the device. Package httprelay
// does this, and serves all of the methods over HTTP. All are safe for concurrent use, by several relays on one database too.
//
// Errors have classes and data in package api. After an error of the store, or when the answer was lost, a call can be repeated
// unchanged: either it carries a key by which the relay knows it again, or doing it twice has the same effect as doing it once. The exception is
// [Directory.Stock], which returns api.ErrReused for a call that had succeeded.
//
// What a device may rely on is in docs/RELAY.md, the tables and states in docs/design/relay.md.
package relay
