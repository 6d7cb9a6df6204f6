package ratchet

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/state"
)

// What a State and a Template hold lies behind any. A package that mentions a Space would know the types of all its tables otherwise, and
// the compiler builds every method of a generic type in each package that knows the type: thousands of functions in a program of ten
// lines (D195). For the same reason no method of State and Template takes or returns such a type, and exported functions
// that name one in their bodies, or in those of function literals, are not inlined. .ci/run counts the functions of a small program.

// State is the ratchet state of a space (§11): who this member is, the roots and epochs that it holds, and what is known of
// frames that cannot be read yet. It is a part of a Space (state.Part): no function yields its bytes. It is immutable, shows
// nothing when printed and cannot be compared with ==.
type State struct {
	_    [0]func()
	body any // a stateBody
}

// Template holds what the notice of each root held fixes: the notice itself, the owner's template, the roster and who is gone;
// and K of the last 64 roots. While joining it holds the link instead, which no member has confirmed yet. It is a part of a
// Space (state.Part): no function yields its bytes. It is immutable, shows nothing when printed and cannot be compared with ==.
type Template struct {
	_    [0]func()
	body any // a templateBody
}

// newSpace returns the Space of these parts.
func newSpace(id state.ID, s stateBody, t templateBody, e dkg.Evals) (Space, error) {
	return state.New(id, State{body: s}, Template{body: t}, e)
}

// withState returns a Space with another state.
func withState(s Space, b stateBody) Space { return s.WithState(State{body: b}) }

// withTemplate returns a Space with another template.
func withTemplate(s Space, b templateBody) Space { return s.WithTemplate(Template{body: b}) }

// bodyOf returns what a State or a Template holds, the zero body for one that holds nothing.
func bodyOf[B stateBody | templateBody](body any) B {
	b, _ := body.(B)
	return b
}

// stateOf returns what the State of a Space holds.
func stateOf(s Space) stateBody { return bodyOf[stateBody](s.State().body) }

// templateOf returns what the Template of a Space holds.
func templateOf(s Space) templateBody { return bodyOf[templateBody](s.Template().body) }

// Encode implements state.Part.
//
//go:noinline
func (s State) Encode(e *state.Encoder) { bodyOf[stateBody](s.body).encode(e) }

// Decode implements state.Part.
//
//go:noinline
func (State) Decode(d *state.Decoder) (State, error) {
	b, err := decodeState(d)
	return State{body: b}, err
}

// Succeeds implements state.Part: it refuses a state of another space, another member than before, and every counter that
// falls. It waits for signatures that are being checked (see Parallel), and refuses a state that rests on a wrong one.
//
//go:noinline
func (s State) Succeeds(prev State) error {
	return bodyOf[stateBody](s.body).succeeds(bodyOf[stateBody](prev.body))
}

// Forget makes the part a keeper (state.Part): it lets go of what is known of frames that the vault gave up.
//
//go:noinline
func (s State) Forget(frames ...[32]byte) State {
	return State{body: bodyOf[stateBody](s.body).forget(frames)}
}

// Phase returns where the member stands in its space.
//
//go:noinline
func (s State) Phase() Phase { return bodyOf[stateBody](s.body).phase }

// Self returns the member's index and signing key. A joiner by a public link may come by another index than it has now.
//
//go:noinline
func (s State) Self() (dkg.Index, PublicKey) {
	me := bodyOf[stateBody](s.body).me()
	return me.index, PublicKey{me.signing.Public}
}

// String shows nothing of what the state holds.
func (s State) String() string { return "ratchet state: " + s.Phase().String() }

// GoString is String: %#v shows no more than %v.
func (s State) GoString() string { return s.String() }

// Encode implements state.Part.
//
//go:noinline
func (t Template) Encode(e *state.Encoder) { bodyOf[templateBody](t.body).encode(e) }

// Decode implements state.Part.
//
//go:noinline
func (Template) Decode(d *state.Decoder) (Template, error) {
	b, err := decodeTemplate(d)
	return Template{body: b}, err
}

// Succeeds implements state.Part: it refuses the template of another space, and one without a root where there was one.
//
//go:noinline
func (t Template) Succeeds(prev Template) error {
	return bodyOf[templateBody](t.body).succeeds(bodyOf[templateBody](prev.body))
}

// String shows nothing of what the template holds.
func (t Template) String() string { return "template" }

// GoString is String: %#v shows no more than %v.
func (t Template) GoString() string { return t.String() }
