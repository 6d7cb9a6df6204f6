package main

func Example() {
	main()
	// Unordered output:
	// Ann reads: hello over files
	// Bob reads: hello over files
}
