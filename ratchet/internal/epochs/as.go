package epochs

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
)

// As returns the forest of a member that takes another index of the same run, since an owner decided for somebody else (§9). What it
// holds it reads on; what only the maker of an epoch keeps goes.
func (f Forest) As(own dkg.Index) Forest {
	f.own = own
	for e := range f.All() {
		if !e.own0.IsZero() {
			e.own0 = secret.Bytes{}
			f = f.put(e)
		}
	}
	return f
}
