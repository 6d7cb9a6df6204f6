// Package store describes where a relay keeps its rows: the tables, and transactions on them. Most programs do not use it; they
// open one of the stores below and give it to relay.New. It is for authors of stores.
//
// [Store] is the contract and package relaytest its test. [Memory] is a Store that forgets; package sqlrelay keeps the same
// tables in SQLite or PostgreSQL. [Schema] lists the tables, which are all that a store knows: no rule of the relay lives here.
package store
