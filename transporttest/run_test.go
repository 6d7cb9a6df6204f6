package transporttest

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
)

func connectTo(n *Network) Connect {
	return func(device string) trefoil.Transport { return n.Device(device) }
}

// The network in memory keeps the contract.
func TestNetwork(t *testing.T) {
	Run(t, func(*testing.T) Connect { return connectTo(NewNetwork()) })
}

// recorder is a test that may fail.
type recorder struct {
	testing.TB
	failure string
	cleanup []func()
}

func (r *recorder) Helper()                   {}
func (r *recorder) Cleanup(f func())          { r.cleanup = append(r.cleanup, f) }
func (r *recorder) FailNow()                  { runtime.Goexit() }
func (r *recorder) Errorf(s string, a ...any) { r.failure += fmt.Sprintf(s, a...) }

// fails runs a check and returns what it says.
func fails(t *testing.T, c check, f faults) string {
	n := NewNetwork()
	n.faults = f
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, f := range r.cleanup {
				f()
			}
		}()
		c.run(kit{r, connectTo(n)})
	}()
	<-done
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, d := range n.devices { // lines that stay
		close(d.came)
	}
	return r.failure
}

// broken are relays that break one rule each, by the check that sees it.
var broken = map[string]faults{
	"StoredBeforeAccepted":   {lateSubscriptions: true},
	"EverySubscriber":        {oneOnly: true},
	"NotToTheSender":         {echoes: true},
	"BytesAsTheyAre":         {cuts: true},
	"EqualFrames":            {dropsRepeats: true},
	"AgainUntilAcknowledged": {forgetsDelivered: true},
	"AcknowledgedOnce":       {ignoresAcks: true},
	"AcknowledgedSingly":     {acksAllBefore: true},
	"EndOfBacklog":           {endsEarly: true},
	"LiveAfterBacklog":       {deaf: true},
	"SubscribeBeforeAsk":     {lateSubscriptions: true},
	"SubscriptionLasts":      {forgetsSubscriptions: true},
	"Unsubscribe":            {staysSubscribed: true},
	"SilentDevice":           {waitsForReaders: true},
	"Context":                {stays: true},
}

// Each way to break the contract is seen by the check of the rule that it breaks.
func TestBrokenTransports(t *testing.T) {
	defer func(d time.Duration) { patience = d }(patience)
	patience = 200 * time.Millisecond
	require.Len(t, broken, len(checks))
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			f, ok := broken[c.name]
			require.True(t, ok)
			require.NotEmpty(t, fails(t, c, f))
		})
	}
}
