package main

func Example() {
	main()
	// Output:
	// Bob is in
	// Carl is in
	// Dan is refused: ratchet: invite is dead
	// an invite is used
	// an invite is ended
	// 2 members
}
