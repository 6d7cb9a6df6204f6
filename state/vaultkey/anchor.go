package vaultkey

import "context"

// Anchor keeps one mark of a database outside of it, where whoever puts an older copy of the database in its place cannot put an
// older mark as well: the key store of a platform, a server, a counter in hardware. A mark has 40 bytes, tells nothing, and
// need not be secret.
type Anchor interface {
	// LoadMark returns the mark that was saved last, or nil if none was.
	LoadMark(ctx context.Context) ([]byte, error)

	// SaveMark replaces the mark. It is durable when SaveMark returns.
	SaveMark(ctx context.Context, mark []byte) error
}
