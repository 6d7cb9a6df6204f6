//go:build !unix

package pgtest

import "testing"

// Run runs the tests of a package.
func Run(m *testing.M) int { return m.Run() }
