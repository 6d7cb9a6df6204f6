// Package parts is the sets of parts that are not complete yet (SPEC §9, Tickets): a ticket or rekey that does not fit
// one frame comes in several, in any order.
//
// The vault keeps the frames, and Sets knows which of them belong together. When the last one of a set comes they are read once
// more, each gives its piece, and the frames are done with: before that nothing is acknowledged, so a set that is given up because
// of a bound comes again.
package parts
