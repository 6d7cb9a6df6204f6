package ratchet

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// What the tests call below the door.
var (
	AskResync  = ask
	SignRoster = signRoster
	Prune      = prune
	Refuse     = refuse
)

// RefusedStatement and UncertainIntroduction are events that no program has to tell apart.
type (
	RefusedStatement      = statementRefused
	UncertainIntroduction = pendingIntroduction
)

// parsed returns what a parser of the tests' own frames returned.
func parsed[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Answers reports whether a ticket says that it answers the request of a space.
func Answers(s Space, frame []byte) bool { return answers(s, parsed(proto.ParseTicket(frame))) }

// WithAnswered returns a space that believes of a member that its requests below a counter are answered.
func WithAnswered(s Space, i dkg.Index, below uint64) Space {
	d := &edit{base: s, st: s.State(), tp: s.Template(), ev: s.Evals()}
	_, r, _, _ := d.preferred()
	m, _ := r.members.Get(segmap.ByIndex(uint32(i)))
	m.answered = below
	r.members = r.members.Put(m)
	d.setRoot(r)
	return d.space()
}
