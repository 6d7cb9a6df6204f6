package invites

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// Ledger yields what became of every invite of a space at a time, in ascending order of their first indices: of those in the preferred
// root, which comes first, and of those that ended under the others, the newest of which comes next.
func Ledger(roots []members.Root, now Millis) iter.Seq[invite.Invite] {
	var all []invite.Invite
	seen := make(map[proto.InviteName]bool)
	for k, r := range roots {
		for _, x := range slices.Concat(r.Open(), r.Used()) {
			if n := x.Certificate.Name(); !seen[n] {
				seen[n] = true
				all = append(all, entry(roots, x.Certificate, k == 0 && !r.Closed(n), now))
			}
		}
	}
	slices.SortFunc(all, func(a, b invite.Invite) int { return cmp.Compare(a.First, b.First) })
	return slices.Values(all)
}

// entry returns what became of the invite of a certificate. One that does not go on has ended, unless all came.
func entry(roots []members.Root, c proto.Certificate, goesOn bool, now Millis) invite.Invite {
	out := invite.Invite{Name: c.Name(), Kind: c.Kind, Status: invite.Open, First: c.First, Count: c.Count, Step: c.Step}
	if c.Expires != 0 {
		out.Expires = time.Unix(int64(c.Expires)*3600, 0)
	}
	free := 0
	for t := range c.Count {
		i := c.First + dkg.Index(t)*dkg.Index(c.Step)
		switch {
		case slices.ContainsFunc(roots, func(r members.Root) bool { return r.Met(i) }):
			out.Members = append(out.Members, i)
		case !roots[0].Gone(i):
			free++
		}
	}
	switch {
	case free == 0 && len(out.Members) > 0:
		out.Status = invite.Used
	case free == 0 || !goesOn:
		out.Status = invite.Ended
	case c.ExpiredAt(uint64(max(now, 0))):
		out.Status = invite.Expired
	}
	return out
}
