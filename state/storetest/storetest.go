// Package storetest holds the tests that every store.Store must pass, and a Store that fails on demand. It needs nothing
// but the standard library:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(tb testing.TB) storetest.Backend {
//			path := filepath.Join(tb.TempDir(), "test.db")
//			return func(tb testing.TB) store.Store { return open(tb, path) }
//		})
//	}
package storetest

import (
	"io"
	"testing"

	"github.com/trefoil-im/trefoil/state/store"
)

// Backend is one place where rows are kept. Each call opens one more handle on it, as another process would, and fails
// the test if it cannot. A handle that is an io.Closer is closed by the test that opened it; what was committed through
// it must be found by the next.
type Backend func(testing.TB) store.Store

// Run tests the Store that empty makes a place for. Every test has a new and empty place, and leaves it as it likes.
func Run(t *testing.T, empty func(testing.TB) Backend) {
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { c.run(newProbe(t, empty(t))) })
	}
}

// check is one test of the kit. Its name begins with the guarantee that it stands for.
type check struct {
	name string
	run  func(*probe)
}

var checks = []check{
	{"G1/created rows are found again", createAndLoad},
	{"G1/an incomplete row is refused", incomplete},
	{"G1/a part that is not given stays", partsStay},
	{"G1/segments are put, replaced and dropped", segments},
	{"G1/any bytes of any length are kept", anyBytes},
	{"G1/readers see whole rows only", wholeRows},
	{"G2/create fails if present, update if absent", presentOrAbsent},
	{"G2/rows and kinds do not meet", isolation},
	{"G2/list is complete and in order", list},
	{"G2/a row that was deleted is not created again", memory},
	{"G3/a change of an old head is refused", conflicts},
	{"G3/an assertion holds or refuses", assertions},
	{"G3/of many writers none is lost", manyWriters},
	{"G4/a refused change leaves nothing behind", atomicity},
	{"G4/random changes do what the rules say", randomChanges},
	{"G4/an ended context changes nothing", endedContext},
	{"G4/a context that ends meanwhile leaves a whole row", endingContext},
	{"G4/a commit is decided when it returns", decided},
	{"G6/slices are neither kept nor shared", scribbling},
	{"G7/queues keep their order", queues},
	{"G7/only what is named is taken out", removal},
	{"G7/a batch is written and taken out whole", batches},
	{"G9/records of frames are replaced and forgotten", records},
	{"G9/retained frames come in order", retained},
	{"G33/several changes are made or none", several},
	{"G33/many batches at once", manyBatches},
	{"G33/assertions hold to the end of a commit", skew},
	{"G11/what is deleted meanwhile is not created", burial},
	{"G11/deleting leaves nothing", deletion},
}

// probe is the running test of one store: two handles on the same place, the one in use and another one.
type probe struct {
	testing.TB
	open     Backend
	s, other store.Store
	looks    int // calls of holds
}

func newProbe(tb testing.TB, open Backend) *probe {
	p := &probe{TB: tb, open: open}
	p.s, p.other = open(tb), open(tb)
	tb.Cleanup(func() {
		p.done(p.s)
		p.done(p.other)
	})
	return p
}

// done closes a handle.
func (p *probe) done(s store.Store) {
	p.Helper()
	if c, ok := s.(io.Closer); ok {
		p.must(c.Close())
	}
}
