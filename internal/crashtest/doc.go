// Package crashtest holds the crash tests of the vault on real stores, and no other code. A script of operations, made from
// a seed, runs on a vault until it is interrupted: by a kill before or within a write to a file, a kill at any moment, a
// power loss, or a device that fails. The program keeps a journal outside of the store. Afterwards the store must hold
// exactly what it held after one of the commits between the last operation that was acknowledged and the one under way,
// and must have handed out nothing with two contents. Controls show that the tests see what they look for: a device that
// ignores syncs, and a program that acknowledges too early, must be found.
//
// An ordinary run takes seconds. With TREFOIL_LONG=1 in the environment each kind of interruption is tried a thousand times
// or more.
package crashtest
