package sentlog

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/gaps"
)

var day0 = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func numbers(l Log) (out []uint64) {
	for t := range l.All {
		out = append(out, t.Number)
	}
	return out
}

// A log holds the newest texts that fit, and only what is not read, not given up and not too old.
func TestLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l Log
		var want []Text
		n, now := uint64(0), day0
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			before := numbers(l)
			was := l
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				read := rapid.Uint64Range(0, n).Draw(t, "read")
				l = l.Read(read)
				end := 0
				for end < len(want) && want[end].Number <= read {
					end++
				}
				want = want[end:]
			case 1:
				now = now.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "hours")) * time.Hour)
				isExpired := l.IsExpired(now)
				l = l.Expired(now)
				end := 0
				for end < len(want) && now.UnixMilli()-want[end].Sent >= Keep.Milliseconds() {
					end++
				}
				require.Equal(t, end > 0, isExpired)
				want = want[end:]
			default:
				n++
				size := rapid.SampledFrom([]int{0, 1, blockBytes - 1, blockBytes, MaxBytes / 3, MaxBytes}).Draw(t, "size")
				text := Text{n, now.UnixMilli(), secret.Own(make([]byte, size))}
				l = l.With(text)
				want = append(want, text)
				total := 0
				for _, w := range want {
					total += w.Len()
				}
				end := 0
				for ; total > MaxBytes; end++ {
					total -= want[end].Len()
				}
				want = want[end:]
			}
			require.Equal(t, before, numbers(was), "logs are immutable")
			var all []uint64
			for _, w := range want {
				all = append(all, w.Number)
				found, ok := l.Find(w.Number)
				require.True(t, ok && found.Len() == w.Len())
			}
			require.Equal(t, all, numbers(l))
			bytes, texts := l.size()
			require.LessOrEqual(t, bytes, MaxBytes)
			require.Equal(t, len(want), texts)
		}
	})
}

func TestTextsAreBounded(t *testing.T) {
	var l Log
	for n := range uint64(MaxTexts + 3) {
		l = l.With(Text{Number: n + 1})
	}
	first, _ := l.First()
	require.Equal(t, uint64(4), first.Number)
	require.Len(t, numbers(l), MaxTexts)
	require.Equal(t, []uint64{5, 7, 8, MaxTexts + 3}, l.Missing([]gaps.Range{{From: 1, To: 1}, {From: 5, To: 5}, {From: 7, To: 8}}, MaxTexts+2))
	_, ok := l.Find(3)
	require.False(t, ok)
}

// G6: a log shows nothing.
func TestG6LogShowsNothing(t *testing.T) {
	l := Log{}.With(Text{1, 0, secret.New([]byte("a text"))})
	for _, shown := range []string{fmt.Sprintf("%v %+v %#v", l, l, l), fmt.Sprintf("%v %+v %#v", l.tail, l.tail, l.tail),
		fmt.Sprintf("%v %+v %#v", slices.Collect(l.All), slices.Collect(l.All), slices.Collect(l.All))} {
		require.NotContains(t, shown, "a text")
		require.NotContains(t, shown, "[97 32") // its bytes in decimal
	}
}

func FuzzStoredBlock(f *testing.F) {
	b := block{}.with(Text{3, 5, secret.New([]byte("text"))}).with(Text{4, 5, secret.New(nil)})
	wiretest.Fuzz(f, parseBlock, block.marshal, block{}.marshal(), b.marshal())
}
