package main

func Example() {
	main()
	// Output:
	// Bob is in
	// Carl is in
	// Dan is refused: ratchet: invite is dead
	// 3 members
	// an invite is used
	// an invite is ended
}
