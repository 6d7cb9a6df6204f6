package main

import (
	"testing"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/transporttest"
)

// The transport keeps the contract of docs/RELAY.md.
func TestTransport(t *testing.T) {
	transporttest.Run(t, func(t *testing.T) transporttest.Connect {
		dir := t.TempDir()
		return func(device string) trefoil.Transport { return maildir{dir, device} }
	})
}
