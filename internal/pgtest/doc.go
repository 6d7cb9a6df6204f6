// Package pgtest starts PostgreSQL servers for tests: one that the tests of a process share, with a database for each test, and
// others for tests that kill them. Their files lie in a temporary directory, in memory if there is room; they listen on a Unix
// socket in it and nowhere else, and end with the tests. The server's programs may be off PATH, and are run by an unprivileged
// user if the test is run by root, whom they refuse. Unix only.
package pgtest
