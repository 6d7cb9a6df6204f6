package ratchet_test

import (
	"runtime/debug"
	"testing"
)

// TestMain lets the heap grow further between collections: tests make much garbage and keep little, so that a quarter of their
// time would go into collecting.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	m.Run()
}
