package main

func Example() {
	main()
	// Output:
	// Bob reads: hello Bob
	// Ann reads: hello Ann
	// both see one fingerprint: true
	// Ann's tablet: linked
	// Ann: linked
	// Ann reads: hello, both of you
	// Ann's tablet reads: hello, both of you
}
