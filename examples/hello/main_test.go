package main

func Example() {
	main()
	// Unordered output:
	// alice reads: hello
	// bob reads: hello
}
