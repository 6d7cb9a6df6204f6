package invites

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Carry returns the evals of a new root with the open invites that this owner made under older ones and that the dealer did not know: its
// rekey crossed what said them (§9, Invites, 5). Recover says them again. Of runs it returns the first indices instead: they are dead.
// The close of a run may be on its way, and names no index that would be gone.
func Carry(next, old dkg.Evals, older []members.Root, owner suite.PublicKey) (dkg.Evals, []dkg.Index) {
	known := make(map[proto.InviteName]bool)
	for o := range next.Offers() {
		known[o.Name] = true
	}
	var dead []dkg.Index
	for o := range old.Offers() {
		if x, ok := madeBy(older, o.Name, owner); known[o.Name] || !ok || !x.IsOpen() {
			continue
		}
		kept, err := next.KeepOffer(o)
		if o.Kind == dkg.Public || err != nil { // there is no room
			dead = append(dead, o.First)
			continue
		}
		next = kept
	}
	return next, dead
}

// madeBy returns the record of an invite that an owner signed, of the first of the roots that has one.
func madeBy(roots []members.Root, n proto.InviteName, owner suite.PublicKey) (proto.Record, bool) {
	for _, r := range roots {
		if x, ok := r.Invite(n); ok {
			keys := r.Owners().Keys
			place := int(x.Certificate.Owner)
			return x, place < len(keys) && keys[place] == owner
		}
	}
	return proto.Record{}, false
}

// Recovered is what becomes of the invites that a root has no record of.
type Recovered struct {
	Evals dkg.Evals
	Again []Made      // to be said again; they have no link, which is the one that was given
	Dead  []dkg.Index // of invites that ended although nobody used them: somebody else has the index, or may be given it
}

// Recover makes anew, under a root, the records of the offers that it has none of. An invite ends with its record under an older root, and
// when somebody came by it. One waits while it is not known by which invite the member came that has its index.
func Recover(ev dkg.Evals, r members.Root, older []members.Root, o Owner) Recovered {
	out := Recovered{Evals: ev}
	place, _, err := o.place(r)
	if err != nil || !ev.CanDeal() || ev.Root() != [32]byte(r.ID()) {
		return out
	}
	for x := range ev.Offers() {
		if _, known := r.Invite(x.Name); known {
			continue
		}
		was, mine := madeBy(older, x.Name, o.Key.Public)
		b, came := user(r, older, x.First)
		switch ended := !mine || !was.IsOpen() || r.Closed(x.Name) || x.Count == 1 && r.Gone(x.First); {
		case ended || came && b.CameBy(x.Name):
		case came && b.Credential.IsZero() && b.Admission.IsZero():
			continue
		case came || offered(r, x.First) || x.First >= r.Cursor() && !isOf(r, older, x):
			out.Dead = append(out.Dead, x.First)
		default:
			if m, err := again(ev, x, was, r, place, o); err == nil && len(r.Open())+len(out.Again) < proto.MaxTicketRecords {
				out.Again = append(out.Again, m)
			}
			continue
		}
		if next, err := out.Evals.EndOffer(x.Name); err == nil {
			out.Evals = next
		}
	}
	return out
}

// user returns who has an index: whom the root lists, or of whom a message was read in it or an older one.
func user(r members.Root, older []members.Root, i dkg.Index) (members.Binding, bool) {
	if _, listed := r.Listed(i); listed || r.Met(i) {
		return r.ListedBinding(i)
	}
	for _, old := range older {
		if old.Met(i) {
			return old.ListedBinding(i)
		}
	}
	return members.Binding{}, false
}

// offered reports whether another invite of a root has an index.
func offered(r members.Root, i dkg.Index) bool {
	return slices.ContainsFunc(slices.Concat(r.Open(), r.Used()), func(x proto.Record) bool { return x.Certificate.Covers(i) })
}

// isOf reports whether the owner that offers the index of an invite in a root signed a record of it: it does not offer it to others.
func isOf(r members.Root, older []members.Root, x dkg.Offer) bool {
	keys := r.Owners().Keys
	of := keys[int(x.First)%len(keys)]
	return slices.ContainsFunc(older, func(old members.Root) bool {
		_, signed := madeBy([]members.Root{old}, x.Name, of)
		return signed
	})
}

// again returns an invite of an older root as it is under another one.
func again(ev dkg.Evals, x dkg.Offer, was proto.Record, r members.Root, place uint8, o Owner) (Made, error) {
	record, err := under(ev, x, was, r.Space(), r.Commitment(), r.ID(), place, o.Key)
	if err != nil {
		return Made{}, err
	}
	out := Made{Record: record, Statements: boxed(record, x.M, r, others(r, o.Self))}
	if len(out.Statements) == 0 {
		out.Statements = []proto.InviteMade{{Record: record}}
	}
	return out, nil
}
