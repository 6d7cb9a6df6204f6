// Package store describes the backend of a vault: what moves sealed bytes to a medium and back. Most programs do not use it;
// they open one of the stores below and give it to state.Open. It is for authors of backends.
//
// [Store] is the contract and package storetest its test. [Memory] is a Store without a medium; package sqlstore is the one
// for SQL databases.
package store
