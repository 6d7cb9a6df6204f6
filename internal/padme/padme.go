// Package padme says to which length what is encrypted is padded, so that its length tells little (Nikitin et al., "Reducing
// Metadata Leakage from Encrypted Files and Communication with PURBs", 2019).
package padme

import "math/bits"

// Length returns the length to which Padmé brings n bytes, n ≥ 1: it keeps as many of the length's leading bits as that length's
// exponent has bits, so that a length of up to 2^k bytes tells O(log k) bits, for at most 12 % more bytes.
func Length(n int64) int64 {
	exponent := bits.Len64(uint64(n)) - 1
	unit := int64(1) << max(exponent-bits.Len(uint(exponent)), 0)
	return (n + unit - 1) / unit * unit
}
