package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStory(t *testing.T) {
	var out, errs bytes.Buffer
	require.Zero(t, run(t.Context(), nil, &out, &errs), errs.String())
	require.Empty(t, errs.String())
	for _, want := range []string{
		"party 5 cheated in round", "any 3 of [1 2 3 4] sign", "same public key: true, same share of Ann: false, generation 1",
		"Dora has the share that she lost: true", "valid under the key of step 2: true",
		"any 3 of [1 2 3 4] sign, Ann holds the whole key: false", "owners, as all see it: Bob Cem\n",
		"any 3 of [2 3 4 5] sign with the same key: true, the lost share is one of theirs: false",
		"owners, as all see it: Bob Cem Ann's new device\n",
	} {
		require.Contains(t, out.String(), want)
	}
	require.Equal(t, 4, strings.Count(out.String(), "has proof"), "all four others can prove it, and blame nobody else")
}

func TestUsage(t *testing.T) {
	var out, errs bytes.Buffer
	require.Equal(t, 2, run(t.Context(), []string{"extra"}, &out, &errs))
}
