// Package next holds the rooms of the next version of the group protocol, which docs/design/revision.md specifies, and its door.
// The door will take the place of package ratchet: then all move up one folder, and what they replace is deleted. Until then
// nothing outside this folder uses them. In this folder SPEC §n cites revision.md if it holds that section, and SPEC.md
// otherwise.
package next
