package api

import (
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// Person is what the directory knows of a person.
type Person struct {
	Address      key.Address `json:"address"`
	Version      uint64      `json:"version"`                // of the registration
	Registration []byte      `json:"registration,omitempty"` // as it was published: directory.ParseRegistration reads it
	Leaf         uint64      `json:"leaf"`                   // its place in the log
	Devices      []Device    `json:"devices,omitempty"`
	Changes      []Change    `json:"changes,omitempty"` // since the version that the caller knew, without those of a device that is gone again
}

// Device is a device of a person that is not revoked.
type Device struct {
	ID        DeviceID `json:"id"`
	Bundle    []byte   `json:"bundle,omitempty"` // directory.Bundle: the newest one
	Unclaimed int      `json:"unclaimed"`        // one-time pre-keys that are left
}

// Change says that a device is not what it was in the version that the caller knew.
type Change struct {
	Device DeviceID   `json:"device"`
	What   ChangeKind `json:"what"`
	In     uint64     `json:"in"` // the version that brought it
}

// ChangeKind is a kind of Change.
type ChangeKind uint8

// The kinds of Change.
const (
	Added   ChangeKind = iota + 1 // the device is new
	Renewed                       // all of its keys are others: they may have been stolen
	Revoked                       // it speaks for the person no longer
)

// RequestKey makes a request idempotent: 16 random bytes that the caller draws for it and sends again with it. The zero key is
// refused.
type RequestKey [16]byte

// Claimed is what the caller begins a session with a device with.
type Claimed struct {
	Device  DeviceID `json:"device"`
	Bundle  []byte   `json:"bundle,omitempty"`  // directory.Bundle
	OneTime []byte   `json:"oneTime,omitempty"` // directory.OneTimePreKey, handed out to nobody else; nil if none was left for the caller
}
