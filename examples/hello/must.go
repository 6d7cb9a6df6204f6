// Program hello is a whole chat: alice lets bob in, bob writes, and both read it. Its network and its stores lie in memory.
package main

// must returns v. A program with a user shows the error instead.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
