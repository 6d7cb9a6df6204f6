package store

import "fmt"

// Kind is a kind of row: what it is called and which parts it has. Its number is part of the stored format.
type Kind uint8

// The kinds.
const (
	Spaces   Kind = 1 // a space: state, template, evals
	Sessions Kind = 2 // one direct session
	Devices  Kind = 3 // the keys of this device
	Persons  Kind = 4 // the keys of this person
	Leases   Kind = 5 // who sends for what
	Vault    Kind = 6 // the store itself, in one row: its identity and its data keys
	Talks    Kind = 7 // a direct conversation with a person, with all devices of both
	Linkings Kind = 8 // the linking of a further device to a person
)

// kinds is what there is to know of each kind.
var kinds = [...]struct {
	name  string
	parts []string
}{
	Spaces:   {"spaces", []string{"state", "template", "evals"}},
	Sessions: {"sessions", []string{"session"}},
	Devices:  {"devices", []string{"device"}},
	Persons:  {"persons", []string{"person"}},
	Leases:   {"leases", []string{"lease"}},
	Vault:    {"vault", []string{"identity", "keys"}},
	Talks:    {"talks", []string{"talk"}},
	Linkings: {"linkings", []string{"linking"}},
}

// Kinds returns all kinds, in the order of their numbers.
func Kinds() []Kind {
	all := make([]Kind, 0, len(kinds)-1)
	for k := range kinds[1:] {
		all = append(all, Kind(k+1))
	}
	return all
}

// Parts returns the names of the parts that a row of this kind has, in their order, and nil if there is no such kind. All
// are always there. The slice must not be written to.
func (k Kind) Parts() []string {
	if int(k) >= len(kinds) {
		return nil
	}
	return kinds[k].parts
}

// String returns the name of the kind, which is that of its table.
func (k Kind) String() string {
	if k.Parts() == nil {
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
	return kinds[k].name
}
