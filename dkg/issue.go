package dkg

import (
	"bytes"
	"errors"
	"fmt"
)

// Issue returns the share at the cursor and evals in which it is issued, so that it is never handed out again. The share may
// leave once the evals are stored. The kind is one
// of invites, the admission public key 1 to 64 bytes. It returns ErrReadOnly if CanDeal is false, ErrExhausted if the
// cursor is past the capacity, and ErrLedger for another kind or size of key.
func (e Evals) Issue(k Kind, admission []byte) (Evals, Share, error) {
	for i := e.next; ; i++ {
		if e.mode == dealing && i > e.capacity {
			return e, Share{}, ErrExhausted
		}
		next, share, err := e.handOut(i, k, admission)
		if errors.Is(err, ErrShare) {
			continue // f(i) = 0: skipped for good, as the cursor moves past it
		}
		return next, share, err
	}
}

// IssueAt is Issue of an index below the cursor that was never handed out under this root: for somebody who was admitted
// with it under an older one. It returns ErrIndex for any other, and for one over the capacity.
func (e Evals) IssueAt(i Index, k Kind, admission []byte) (Evals, Share, error) {
	if e.mode == dealing && (i == 0 || i >= e.next || i > e.capacity || e.ledger.get(i).Status != Free) {
		return e, Share{}, fmt.Errorf("%w: %d is not free below the cursor", ErrIndex, i)
	}
	return e.handOut(i, k, admission)
}

// handOut hands out an index that is free. The cursor is past it afterwards.
func (e Evals) handOut(i Index, k Kind, admission []byte) (Evals, Share, error) {
	if e.mode != dealing {
		return e, Share{}, ErrReadOnly
	}
	r := Record{Index: i, Kind: k, Status: Issued, Admission: bytes.Clone(admission)}
	if k == Held || !r.valid() {
		return e, Share{}, fmt.Errorf("%w: kind %d with an admission key of %d bytes", ErrLedger, k, len(admission))
	}
	share, err := e.polynomial.Share(i)
	if err != nil {
		return e, Share{}, err
	}
	next := e
	next.next = max(e.next, i+1)
	next.ledger = e.ledger.with(r)
	return next, share, nil
}

// Redeem notes that somebody joined with an index. It returns ErrIndex if the index was not handed out under this root,
// and ErrLedger if it was redeemed or revoked already. Read-only evals allow it too.
func (e Evals) Redeem(i Index) (Evals, error) { return e.settle(Redeemed, i) }

// Revoke takes indices back that nobody joined with, all or none. It returns ErrIndex if one was not handed out under this
// root, and ErrLedger if one was redeemed or revoked already, or is given twice. Read-only evals allow it too.
func (e Evals) Revoke(indices ...Index) (Evals, error) { return e.settle(Revoked, indices...) }

func (e Evals) settle(s Status, indices ...Index) (Evals, error) {
	next := e
	for _, i := range indices {
		r := next.ledger.get(i)
		switch r.Status {
		case Issued:
		case Free:
			return e, fmt.Errorf("%w: %d was not handed out", ErrIndex, i)
		default:
			return e, fmt.Errorf("%w: %d is settled", ErrLedger, i)
		}
		r.Status = s
		next.ledger = next.ledger.with(r)
	}
	return next, nil
}

// MoveCursorPast moves the cursor past an index seen in any root, so that it is never handed out anew. It does nothing if
// the cursor is past it already, or for NoEvals, which have none. It returns ErrIndex unless 1 ≤ i < 2^depth.
func (e Evals) MoveCursorPast(i Index) (Evals, error) {
	if e.mode == none {
		return e, nil
	}
	if err := i.Check(e.depth); err != nil {
		return e, err
	}
	next := e
	next.next = max(e.next, i+1)
	return next, nil
}

// ReadOnly returns the evals without their polynomial: for a root that lost against another, and for a state that was
// restored from a copy, since either might hand out a share that was handed out before. There is no way back but a rekey.
// NoEvals stay what they are.
func (e Evals) ReadOnly() Evals {
	if e.mode == dealing {
		e.mode, e.polynomial = readOnly, Polynomial{}
	}
	return e
}
