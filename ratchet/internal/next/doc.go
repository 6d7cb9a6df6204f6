// Package next holds the rooms of the next version of the group protocol, which docs/design/revision.md specifies. When all
// are there, the door of package ratchet moves onto them, they move up one folder, and what they replace is deleted. Until
// then nothing outside this folder uses them. In this folder SPEC §n cites revision.md if it holds that section, and SPEC.md
// otherwise.
package next
