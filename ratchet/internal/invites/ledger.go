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

// Ledger yields what became of every invite of a root at a time, in ascending order of their first indices.
func Ledger(r members.Root, now Millis) iter.Seq[invite.Invite] {
	all := slices.Concat(r.Open(), r.Used())
	slices.SortFunc(all, func(a, b proto.Record) int { return cmp.Compare(a.Certificate.First, b.Certificate.First) })
	return func(yield func(invite.Invite) bool) {
		for _, x := range all {
			if !yield(entry(r, x.Certificate, now)) {
				return
			}
		}
	}
}

// entry returns what became of the invite of a certificate.
func entry(r members.Root, c proto.Certificate, now Millis) invite.Invite {
	out := invite.Invite{Name: c.Name(), Kind: c.Kind, Status: invite.Open, First: c.First, Count: c.Count, Step: c.Step}
	if c.Expires != 0 {
		out.Expires = time.Unix(int64(c.Expires)*3600, 0)
	}
	free := 0
	for t := range c.Count {
		i := c.First + dkg.Index(t)*dkg.Index(c.Step)
		switch {
		case r.Heard(i):
			out.Members = append(out.Members, i)
		case !r.Gone(i):
			free++
		}
	}
	switch {
	case free == 0 && len(out.Members) > 0:
		out.Status = invite.Used
	case free == 0 || r.Closed(c.Name()):
		out.Status = invite.Ended
	case c.ExpiredAt(uint64(max(now, 0))):
		out.Status = invite.Expired
	}
	return out
}
