// Package client is a device's line to a relay over HTTP: the trefoil.Transport and the trefoil.Directory of a trefoil.Client, and the
// requests of the relay's directory, conversations, mailboxes and blobs.
//
//	line, err := client.New(client.Options{URL: "https://relay.example"})
//	c, err := trefoil.Open(ctx, store, key, line, trefoil.Options{Directory: line})
//	who, err := c.NewPerson(ctx) // once: the relay lets in devices of persons only
//
// Without a person Run sends and receives nothing, in spaces too, and the log says why. A device that is to be linked to a person
// uses Options.Guest instead.
//
// It logs in when it has to, with what the trefoil.Client signs. Each call is one request, with the errors of package api, or
// ErrUnavailable if it may be made again as it was: every one carries its own key, or has the same effect. So a request that the relay
// has closed a connection on, which was kept from an earlier one, is made again by itself.
//
// A message with which a session begins is kept by the relay beside what is posted, as a session of the direct conversation of the two
// persons, and is handed over by Receive like a frame. docs/design/relay.md says why.
//
// A WebSocket tells the device of what comes. It carries no message, so nothing is lost with it, and without it the device looks into
// its mailbox now and then.
package client
