package ratchettest

import (
	"testing"
	"time"

	"github.com/trefoil-im/trefoil/ratchet"
)

// Devices are the devices of the members of one space, with one clock.
type Devices struct {
	T   testing.TB
	Now time.Time
	All []*Device
}

// NewDevices returns Devices without any.
func NewDevices(t testing.TB) *Devices { return &Devices{T: t, Now: Day0} }

// Add adds a device that holds a space, with frames in its outbox.
func (r *Devices) Add(name string, s ratchet.Space, frames ...[]byte) *Device {
	r.T.Helper()
	d := NewDevice(r.T, name, func() time.Time { return r.Now }, s, frames...)
	r.All = append(r.All, d)
	return d
}

// Run gives every frame to every device, its sender's included, and lets all do what is due at the end of their mailboxes, until
// there is nothing left, and reopens all devices.
func (r *Devices) Run() {
	r.T.Helper()
	for again := true; again; {
		again = false
		for _, from := range r.All {
			for _, f := range from.Flush() {
				again = true
				for _, to := range r.All {
					to.Receive(from.Name, f)
				}
			}
		}
		for _, d := range r.All {
			d.CaughtUp()
			d.Maintain()
		}
	}
	for _, d := range r.All {
		d.Reopen()
	}
}
