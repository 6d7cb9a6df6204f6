// Package transporttest checks that a Transport keeps the contract of docs/RELAY.md, and has one in memory that does.
//
// The author of a transport calls Run in a test:
//
//	func TestTransport(t *testing.T) {
//		transporttest.Run(t, func(t *testing.T) transporttest.Connect {
//			relay := startMyRelay(t)
//			return func(device string) trefoil.Transport { return myTransport(relay, device) }
//		})
//	}
//
// Each check is a subtest that is named after its rule. What takes days, a relay that is full and one that crashes are for the
// relay's own tests.
package transporttest
