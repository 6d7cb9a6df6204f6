// Package pgtest starts PostgreSQL servers for tests: each has a new cluster in a temporary directory, listens on a Unix
// socket in it and nowhere else, and ends with the test. The server's programs may be off PATH, and are run by an unprivileged
// user if the test is run by root, whom they refuse. Unix only.
package pgtest
