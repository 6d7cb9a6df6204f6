package httprelay

import (
	"sync"

	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/internal/httpapi"
)

// smallestMemory lets the longest body through.
const smallestMemory = httpapi.MaxBody

// Shares of what is under way.
const (
	deviceRequests = 16 // the part of all requests that one device has
	openRequests   = 2  // and that those without a device have together
	deviceMemory   = 4  // the part of the memory that one device has, or those without one together
)

// gate counts what is under way and refuses what would be too much. It never waits: a device that is refused comes again, and one
// device's load is not another's refusal.
type gate struct {
	requests int
	memory   int64

	mu  sync.Mutex
	all load
	by  map[api.DeviceID]load // the zero one is all that have none
}

type load struct {
	requests int
	memory   int64
}

func newGate(requests int, memory int64) *gate {
	return &gate{requests: requests, memory: memory, by: make(map[api.DeviceID]load)}
}

// enter counts a request whose body has up to some bytes. It returns what ends it; or ErrUnavailable if all are too many, or
// ErrSlowDown if those of the device are.
func (g *gate) enter(device api.DeviceID, memory int64) (leave func(), err error) {
	part := max(g.requests/deviceRequests, 1)
	if device.IsZero() {
		part = max(g.requests/openRequests, 1)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	own := g.by[device]
	switch {
	case own.requests >= part || own.requests > 0 && own.memory+memory > g.memory/deviceMemory:
		return nil, httpapi.ErrSlowDown
	case g.all.requests >= g.requests || g.all.requests > 0 && g.all.memory+memory > g.memory:
		return nil, httpapi.ErrUnavailable
	}
	g.add(device, 1, memory)
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.add(device, -1, -memory)
	}), nil
}

func (g *gate) add(device api.DeviceID, requests int, memory int64) {
	g.all = load{g.all.requests + requests, g.all.memory + memory}
	own := g.by[device]
	if own = (load{own.requests + requests, own.memory + memory}); own.requests == 0 {
		delete(g.by, device)
	} else {
		g.by[device] = own
	}
}
