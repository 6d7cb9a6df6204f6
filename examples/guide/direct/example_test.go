package main

func Example() {
	main()
	// Output:
	// Bob reads: hello Bob
	// Ann reads: hello Ann
}
