// Package directory is what people and devices publish: registrations, bundles and one-time pre-keys, with their
// verification.
//
// A client looks a person up: ParseRegistration, Registration.Verify, then Person.Peers with the bundles of its devices. Only
// a Person yields a Peer, so no session begins with keys that no person signed. A server stores registrations and a PreKeys
// value for each device. No private key can be reached from here.
package directory
