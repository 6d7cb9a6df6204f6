package suite

// Suite names the algorithms of a space by one number, which is part of the format: the signature scheme of its members and
// admissions, and the KEM by which secrets are boxed to them (§2). Owner keys have the scheme that their length says.
type Suite uint8

// The suites.
const (
	Ed25519Hybrid Suite = 1 // Ed25519 and MLKEM768-X25519: the default
	Ed25519X25519 Suite = 2 // Ed25519 and DHKEM(X25519, HKDF-SHA-256)
	Ed448Hybrid   Suite = 3 // Ed448 and MLKEM768-X25519
	Ed448X25519   Suite = 4 // Ed448 and DHKEM(X25519, HKDF-SHA-256)
)

// Suites lists every suite in ascending order.
func Suites() []Suite { return []Suite{Ed25519Hybrid, Ed25519X25519, Ed448Hybrid, Ed448X25519} }

// Valid reports whether the suite is one of the protocol.
func (s Suite) Valid() bool { return s >= Ed25519Hybrid && s <= Ed448X25519 }

// Scheme returns the signature scheme of members' and admission keys, "" for an unknown suite.
func (s Suite) Scheme() Scheme {
	switch s {
	case Ed25519Hybrid, Ed25519X25519:
		return Ed25519
	case Ed448Hybrid, Ed448X25519:
		return Ed448
	}
	return ""
}

// KEM returns the key encapsulation mechanism of inbox and ticket keys, 0 for an unknown suite.
func (s Suite) KEM() KEM {
	switch s {
	case Ed25519Hybrid, Ed448Hybrid:
		return MLKEM768X25519
	case Ed25519X25519, Ed448X25519:
		return X25519
	}
	return 0
}
