// Package linking is how a further device of a person and the first one come to know each other's keys (SPEC §18.10).
//
// The first device shows a code; the further one is given it. Both then show the same six digits, which their person compares. Whoever
// photographs the code, or sits at the relay, can come between the two only by making both show the same digits, and has one guess in a
// million for each code: the keys of the first device are fixed by the code before the further one says its own, and are shown
// only after it did. What they send each other then is sealed to the keys that were compared, and signed.
//
// A Linking is an immutable value, to be saved before what it has to send leaves. Frames may be lost, repeated or reordered: each device
// says what it said last again.
package linking
