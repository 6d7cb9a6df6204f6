package main

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const output = `goos: linux
BenchmarkGrowth/members=10-2     1   1400 B/message   400000 cpu-ns/message
BenchmarkGrowth/members=100-2    1   2800 B/message   400000 cpu-ns/message
BenchmarkGrowth/epochs=10        1   1400 B/message   1e+05 cpu-ns/message
PASS
`

func TestParse(t *testing.T) {
	panels, err := parse(strings.NewReader(output))
	require.NoError(t, err)
	require.Equal(t, []panel{
		{"members", []point{{10, 400_000, 1_400}, {100, 400_000, 2_800}}},
		{"epochs", []point{{10, 100_000, 1_400}}},
	}, panels)
	_, err = parse(strings.NewReader("PASS\n"))
	require.Error(t, err)
	_, err = parse(strings.NewReader("BenchmarkGrowth/members=10-2 1 5 ns/op\n"))
	require.Error(t, err, "a line without its figures")
}

func TestDraw(t *testing.T) {
	panels, err := parse(strings.NewReader(output))
	require.NoError(t, err)
	picture := string(draw(panels))
	for d := xml.NewDecoder(strings.NewReader(picture)); ; {
		_, err := d.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
	}
	require.Contains(t, picture, `points="44.0,195.0 234.0,195.0"`, "CPU time stays")
	require.Contains(t, picture, `points="44.0,195.0 234.0,170.0"`, "bytes double")
}
