package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/state/storetest"
	"github.com/trefoil-im/trefoil/trefoiltest"
)

// newBot returns the device of a bot. Its client changes with a crash, so the bot asks the device for it.
func newBot(w *trefoiltest.World) *trefoiltest.Device {
	var d *trefoiltest.Device
	d = w.Device("Bot", func(o *trefoil.Options) {
		o.Handle = func(ctx context.Context, e event.Event) error { return (&bot{d.Client}).handle(ctx, e) }
	})
	return d
}

// The bot answers, whatever the network does: with three seeds.
func TestBotAnswers(t *testing.T) {
	trefoiltest.Check(t, 1, 3, func(w *trefoiltest.World) {
		ann, bot := w.Device("Ann"), newBot(w)
		space := w.Space(ann, bot)
		w.Net().Repeat(0.5)
		w.Net().Delay(0.5, time.Hour)
		ann.Send(space, "!hello")
		w.Advance(3 * time.Hour)
		w.Check()
		question := trefoiltest.Told[event.Message](ann)[0]
		require.Equal(w.T, []string{"!hello", answer(question)}, ann.Read(space))
	})
}

// The bot dies at a call of its store, another one each time, and answers all the same. It may answer twice.
func TestBotCrashes(t *testing.T) {
	for n, crashed := 1, true; crashed; n += 15 {
		w := trefoiltest.New(t, uint64(n))
		ann, bot := w.Device("Ann"), newBot(w)
		space := w.Space(ann, bot)
		bot.CrashAt(n, storetest.After)
		ann.Send(space, "!hello")
		w.Advance(time.Hour)
		crashed = bot.Crashed()
		bot.Crash()
		w.Advance(time.Hour)
		w.Check()
		require.Contains(t, ann.Read(space), answer(trefoiltest.Told[event.Message](ann)[0]))
	}
}
