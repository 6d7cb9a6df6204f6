// Package indexeddb is a store.Store in the database of a browser, for programs that are compiled to WebAssembly.
//
// A row of the store, with all that lies beside it, is one record there: simple, and enough for the chats of a person. A store for
// large spaces would keep segments and items in records of their own.
package indexeddb
