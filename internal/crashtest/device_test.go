package crashtest

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/disktest"
	"github.com/trefoil-im/trefoil/state"
)

// device is a disk that fails at one operation, or from one on.
type device struct {
	fault disktest.Fault
	at    int  // which operation since it was armed
	goes  bool // those after it fail, too
	hit   bool
	n     int
}

func (d *device) decide(op disktest.Op) disktest.Fault {
	d.n++
	if d.n == d.at || d.goes && d.n > d.at {
		d.hit = true
		return d.fault
	}
	if op.Kind == disktest.Sync {
		return disktest.Ignored // nothing is lost here, and it is faster
	}
	return disktest.None
}

// Whatever operation of the disk fails, once or from then on, an operation on the vault that returns an error has changed
// nothing, unless it says that it does not know; what the vault returns then is what is stored; and it succeeds as soon as
// the disk works again.
func TestFailingDisk(t *testing.T) {
	for i, d := range []device{
		{fault: disktest.Broken}, {fault: disktest.Full}, {fault: disktest.Half},
		{fault: disktest.Broken, goes: true}, {fault: disktest.Full, goes: true},
	} {
		ops := times(4, 60)
		faults := runFailing(t, newScript(uint64(7+i), ops), d)
		t.Logf("%+v: %d operations failed", d, faults)
		require.Greater(t, faults, 2*ops)
	}
}

// runFailing runs a script on a disk that fails in each operation at the first place, then at the second, and so on until
// the operation passes. It returns how often one failed.
func runFailing(t *testing.T, s script, d device) (failures int) {
	disk, err := disktest.New(nil)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), file)
	var journal []entry
	p := &program{dsn: disk.DSN(path, checkpoints), note: func(e entry) { journal = append(journal, e) }}
	require.NoError(t, p.open(t.Context()))
	for i := 1; i <= len(s.ops); i++ {
		o, passed := s.ops[i-1], false
		p.note(entry{Event: begins, Op: i})
		for d.at = 1; !passed; d.at++ {
			d.n, d.hit = 0, false
			disk.Decide(d.decide)
			err := p.do(t.Context(), o)
			disk.Decide(nil)
			if err == nil {
				break
			}
			require.True(t, d.hit, "operation %d, %v: %v", i, o, err)
			failures++
			passed, s = p.checkFailure(t, s, i, err)
		}
		p.note(entry{Event: done, Op: i})
	}
	require.NoError(t, p.close())
	_, _, err = check(t.Context(), path, s, journal)
	require.NoError(t, err)
	return failures
}

// checkFailure checks what is stored after operation i failed, on a disk that works again. It reports whether the operation
// was carried out nevertheless, and returns the script for what is stored.
func (p *program) checkFailure(t *testing.T, s script, i int, failure error) (passed bool, rest script) {
	if p.vault == nil { // it could not be opened
		require.NoError(t, p.open(t.Context()))
	}
	w, rooms, err := p.values(t.Context())
	require.NoError(t, err, "after %v", failure)
	fresh := &program{dsn: p.dsn}
	require.NoError(t, fresh.open(t.Context()))
	_, stored, err := fresh.values(t.Context())
	require.NoError(t, err)
	require.NoError(t, fresh.close())
	for place := range rooms {
		require.Equal(t, stored[place].ID(), rooms[place].ID(), "after %v", failure)
		same := rooms[place].ID() == (state.ID{}) || rooms[place].Equal(stored[place])
		require.True(t, same, "room %d differs from the stored one after %v", place, failure)
	}
	if s.ops[i-1].kind.once() && !errors.Is(failure, state.ErrUncertain) {
		require.True(t, w.equalValues(s.after(i-1)), "operation %d, %v, has changed something, and failed: %v", i, s.ops[i-1], failure)
		return false, s
	}
	for _, a := range s.between(i-1, i) {
		if a.equalValues(w) {
			if s.ops[i-1].kind.once() && w.equalValues(s.after(i)) {
				return true, s.resumed(i, a)
			}
			return false, s.resumed(i-1, a)
		}
	}
	require.Fail(t, "a state that may not be", "operation %d, %v, failed with %v and left %v", i, s.ops[i-1], failure, w)
	return false, s
}
