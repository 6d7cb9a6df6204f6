package httpapi

import (
	"fmt"
	"net/http"
	"strings"
)

// A browser sends no headers of a program's own when it opens a WebSocket. It names subprotocols instead: that of the relay with its
// version, and one that is the token.
const (
	subprotocolVersion = "trefoil-relay."
	subprotocolToken   = "bearer."
)

// Subprotocol returns the one that the relay chooses.
func Subprotocol() string { return fmt.Sprint(subprotocolVersion, Version) }

// Subprotocols returns the names that say what the headers of a request say.
func Subprotocols(h http.Header) []string {
	names := []string{subprotocolVersion + h.Get(VersionHeader)}
	if token, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer "); ok {
		names = append(names, subprotocolToken+token)
	}
	return names
}

// FromSubprotocols adds to the headers of a request what the names of its subprotocols say.
func FromSubprotocols(h http.Header) {
	for _, list := range h.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(list, ",") {
			name = strings.TrimSpace(name)
			if version, ok := strings.CutPrefix(name, subprotocolVersion); ok && h.Get(VersionHeader) == "" {
				h.Set(VersionHeader, version)
			}
			if token, ok := strings.CutPrefix(name, subprotocolToken); ok && h.Get("Authorization") == "" {
				h.Set("Authorization", "Bearer "+token)
			}
		}
	}
}
