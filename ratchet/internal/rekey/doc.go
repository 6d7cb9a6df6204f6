// Package rekey is the rekeys of a space as one device has them (docs/design/rekey.md): the draft of one that an owner prepares, the
// whole that it posted, wholes of others that wait for their epoch, and the boxes of members that were not heard since.
//
// A draft holds what a root does not depend on: the polynomial, x, the key of the owners' part, and the boxes, which are sealed a few
// hundred at a time on all processors. Make finishes it under a parent and a roster. Kept is a whole that came, and Open what it says
// once its parent is known. No function takes a clock, and none knows of epochs or members.
package rekey
