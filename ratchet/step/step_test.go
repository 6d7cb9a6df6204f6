package step_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// A step shows nothing of what it holds, however it is printed, logged or encoded.
func TestStepsShowNothing(t *testing.T) {
	content := []byte("at the old boathouse")
	for _, s := range []step.Step{
		step.Expiring(content, time.Hour), step.SetTitle(content), step.SetProfile(content), step.PutRootKey(content), step.PutOwners(content, content),
	} {
		secrettest.Check(t, s, content)
	}
}

// What a program does with its slices after it made a step changes nothing of the step.
func TestStepsHaveTheirOwnBytes(t *testing.T) {
	title := []byte("Climbing")
	s := step.SetTitle(title)
	copy(title, "Swimming")
	var n titled
	require.NoError(t, s.By(&n))
	require.Equal(t, "Climbing", string(n.title))
}

type titled struct {
	step.Taker
	title []byte
}

func (n *titled) SetTitle(title []byte) error {
	n.title = title
	return nil
}
