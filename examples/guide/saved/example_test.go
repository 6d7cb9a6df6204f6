package main

func Example() {
	main()
	// Output:
	// a note to myself
	// and another one
}
