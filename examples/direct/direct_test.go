package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// The story checks itself: whatever is not read just once, by whom it is for, is an error.
func TestStory(t *testing.T) {
	var out, errs bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"-db", t.TempDir()}, &out, &errs), errs.String())
	require.Empty(t, errs.String())
	for _, want := range []string{
		`Bob-1  reads  : "are you there?"`, `Ann-1  reads  : "here I am"`, "2 session(s) side by side, post-quantum: true",
		"Bob-1  reads nothing", `Bob-2  reads  : "to all your devices"`, `Bob-1  reads  : "own: from the new one"`,
	} {
		require.Contains(t, out.String(), want)
	}
	require.Regexp(t, `Bob-1 and Bob-2 show \d{3} \d{3}: Bob-2 is linked`, out.String())
}

func TestUsage(t *testing.T) {
	var out, errs bytes.Buffer
	require.Equal(t, 2, run(t.Context(), []string{"extra"}, &out, &errs))
	require.Equal(t, 2, run(t.Context(), []string{"-nonsense"}, &out, &errs))
	require.Equal(t, 0, run(t.Context(), []string{"-h"}, &out, &errs))
}
