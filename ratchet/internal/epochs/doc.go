// Package epochs is the forest of epochs that a member holds (SPEC §4 steps 4 to 8, §5, and of §9 what
// tickets tell of epochs).
//
// A Forest is an immutable value: its methods return the next one and a Change, which says what happened. An epoch is derived,
// from a secret that the member computed itself, or told by tickets. Of what was told several words may stand side by side;
// none is dropped because another one fitted, since a liar can make evidence for its own.
package epochs
