// Package httprelay is a relay over HTTP: a handler that can be mounted in any router.
//
//	r := relay.New(s, relay.Options{Name: "relay.example"})
//	h := httprelay.New(r, httprelay.Options{})
//	server := &http.Server{Addr: ":8080", Handler: h, ReadHeaderTimeout: 10 * time.Second}
//	...
//	h.Shutdown(ctx)        // ends the WebSockets
//	server.Shutdown(ctx)   // waits for the requests
//
// Under a path, http.StripPrefix("/relay", h) mounts it. TLS, and limits by network address, are the server's in front.
//
// Devices log in with a key of theirs, or as Options.Authenticate says. docs/HTTP.md describes the requests, and /v1/openapi.json
// tells programs of them. Package relay/client makes them.
package httprelay
