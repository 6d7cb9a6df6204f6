package invite

import "github.com/trefoil-im/trefoil/internal/secret"

// SampleLink returns a link of a kind, of which only the text is right.
func SampleLink(kind byte, seed string) Link { return Link{secret.Own(sampleLink(kind, seed))} }
