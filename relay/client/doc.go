// Package client is a device's line to a relay over HTTP: the trefoil.Transport of a trefoil.Client, and the requests of the
// relay's directory, conversations and blobs.
//
//	c, err := client.New(client.Options{URL: "https://relay.example", Device: id, Sign: sign})
//	t, err := trefoil.New(trefoil.Options{Transport: c, ...})
//
// It logs in when it has to. Each call is one request, with the errors of package api, or ErrUnavailable if it may be made
// again as it was: every one carries its own key, or has the same effect.
//
// A WebSocket tells the device of what comes. It carries no message, so nothing is lost with it, and without it the device looks into
// its mailbox now and then.
package client
