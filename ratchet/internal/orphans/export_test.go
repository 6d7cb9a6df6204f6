package orphans

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Bounds that tests come to.
const (
	MaxHolderFrames = maxHolderFrames
	MaxFrames       = maxFrames
	MaxTrials       = maxTrials
)

// TB is what testing.TB and rapid.T have in common.
type TB interface {
	require.TestingT
	Helper()
}

var (
	_ TB = testing.TB(nil)
	_ TB = (*rapid.T)(nil)
)
