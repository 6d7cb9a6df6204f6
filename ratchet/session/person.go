package session

import (
	"crypto/sha256"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// Person holds a person's private keys, where a device may sign the list of the person's devices. It is a state.Part: keep it in a
// Vault[state.One[Person]] under its ID, in the same store as the rest if you like. It is immutable and shows nothing when printed.
type Person struct {
	_       [0]func()
	User    keypair.SigningKey // by whose address others know the person
	Account keypair.PrivateKey[key.Account]
}

// StoredAs says that a Person is stored apart from devices and sessions.
func (Person) StoredAs() store.Kind { return store.Persons }

// IsZero reports whether a key is missing.
func (p Person) IsZero() bool { return p.User.IsZero() || p.Account.IsZero() }

// Address names the person.
func (p Person) Address() key.Address { return p.User.Public().Address() }

// ID names the row in which the person is kept.
func (p Person) ID() state.ID {
	address := p.Address()
	return sha256.Sum256(append([]byte(labelPerson+"\x00"), address[:]...))
}

// Register signs a registration of 1 to directory.MaxDevices devices: first those that are registered already (see
// directory.Person.Entries), then new ones. Errors are those of directory.NewRegistration.
func (p Person) Register(entries ...directory.Entry) (directory.Registration, error) {
	return directory.NewRegistration(p.User.Public(), p.Account.Public(), p.User.Sign, entries...)
}

// String names the person and shows none of its keys.
func (p Person) String() string { return "person " + p.Address().String() }

// GoString is String.
func (p Person) GoString() string { return p.String() }

// Succeeds implements state.Part: a person's keys do not change.
func (p Person) Succeeds(prev Person) error {
	if !p.User.Equal(prev.User) || !p.Account.Equal(prev.Account) {
		return state.ErrStale
	}
	return nil
}

// personVersion is the version of a stored Person.
const personVersion = 1

// Encode implements state.Part.
func (p Person) Encode(e *state.Encoder) { e.Bytes(p.marshal()) }

// Decode implements state.Part.
func (Person) Decode(in *state.Decoder) (Person, error) {
	b := in.Bytes(1 << 10)
	if err := in.Err(); err != nil {
		return Person{}, err
	}
	return parsePerson(b)
}

func (p Person) marshal() []byte {
	w := wire.NewWriter(256)
	w.U16(personVersion)
	w.Fixed(p.User.Seed())
	writePrivate(w, p.Account)
	return w.Bytes()
}

func parsePerson(b []byte) (Person, error) {
	r := wire.NewReader(b)
	r.Version16(personVersion, personVersion)
	p := Person{User: readSigning(r), Account: readPrivate[key.Account](r)}
	if err := r.Done(); err != nil {
		return Person{}, err
	}
	return p, nil
}
