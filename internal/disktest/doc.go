// Package disktest provides a disk under SQLite that fails on demand: a VFS over the one of the operating system. It sees
// every creation, write, truncation, sync and deletion of a database file and of its logs before it is carried out. A test
// may let each pass, make it fail as a broken or full device does, or end the process there; and of what was carried out
// it can build the files that a power loss would leave (Trace.Image).
//
// SQLite's own tests find faults in this way (https://sqlite.org/testing.html, "Crash Testing", "I/O Error Testing"). A
// VFS needs no privileges and no tracing of system calls, and works wherever the driver modernc.org/sqlite does. The shared
// memory file of the write-ahead log is not seen: SQLite makes it anew after a crash.
package disktest
