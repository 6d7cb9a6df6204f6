//go:build unix && !linux

package pgtest

// memory returns "": other systems have no file system in memory at a known place.
func memory() string { return "" }
