package session_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// must ends the example on an error.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// register makes a person with one device, and returns what others find when they look the person up.
func register() (session.Device, directory.Person) {
	own := session.Person{User: keypair.GenerateSigningKey(), Account: keypair.GenerateKey[key.Account]()}
	device := must(session.NewDevice(own.Address(), time.Now()))
	return device, must(must(own.Register(device.Entry())).Verify(own.Address()))
}

// open keeps a device in vaults, here in memory. The directory knows the other one.
func open(ctx context.Context, device, other session.Device, person directory.Person) *session.Endpoint {
	memory, vaultKey := store.NewMemory(), must(state.NewKey(make([]byte, state.KeySize)))
	devices := must(state.Open[session.StoredDevice](ctx, memory, vaultKey, state.Options{}))
	if err := devices.Create(ctx, must(state.NewOne(device.ID(), device)), nil); err != nil {
		log.Fatal(err)
	}
	return &session.Endpoint{Devices: devices, Device: device.ID(),
		Sessions: must(state.Open[session.Session](ctx, memory, vaultKey, state.Options{})),
		Peers: func(_ context.Context, who key.Address) ([]directory.Peer, error) {
			if who != person.Address() {
				return nil, nil
			}
			return person.Peers(other.Bundle())
		}}
}

// carry hands what one device has in its outboxes to another one, which reads it.
func carry(ctx context.Context, from *session.Endpoint, slots []state.ID, to *session.Endpoint) {
	for _, slot := range slots {
		must(from.Sessions.Flush(ctx, slot, func(ctx context.Context, o state.Outgoing) state.Delivery {
			at, _ := must2(to.Receive(ctx, state.Frame{Source: o.To, Data: o.Data}))
			err := to.Sessions.Drain(ctx, at, func(_ context.Context, in state.Incoming) error {
				fmt.Printf("read: %s\n", in.Data())
				return nil
			})
			if err != nil {
				log.Fatal(err)
			}
			return state.Delivered()
		}))
	}
}

func must2[T, U any](v T, u U, err error) (T, U) { return must(v, err), u }

// A first message to somebody who is offline, and an answer. See examples/direct for a whole program.
func Example() {
	ctx := context.Background()
	annDevice, annPerson := register()
	bobDevice, bobPerson := register()
	ann := open(ctx, annDevice, bobDevice, bobPerson)
	bob := open(ctx, bobDevice, annDevice, annPerson)

	atAnn := must(ann.SendAll(ctx, []byte("hello Bob"), bobPerson.Address()))
	carry(ctx, ann, atAnn, bob)
	carry(ctx, bob, must(bob.SendAll(ctx, []byte("hello Ann"), annPerson.Address())), ann)
	fmt.Println("post-quantum:", must(ann.Sessions.Load(ctx, atAnn[0])).Part().IsPostQuantum())
	// Output:
	// read: hello Bob
	// read: hello Ann
	// post-quantum: true
}

// The same steps on values, for a program that keeps its state itself.
func ExampleEncrypt() {
	ann, annPerson := register()
	bob, bobPerson := register()
	toBob, toAnn := must(bobPerson.WithBundle(bob.Bundle())), must(annPerson.WithBundle(ann.Bundle()))
	atAnn := must(session.Initiate(must(session.New(ann, toBob)), ann, toBob))

	atAnn, out, err := session.Encrypt(atAnn, time.Now(), []byte("hello"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("save the next state before the frame leaves:", atAnn.Part().Sessions(), "session")
	_, in, err := session.Decrypt(must(session.New(bob, toAnn)), bob, out.Frame)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Bob reads %q, a new session: %v\n", in.Plaintext(), in.Began)
	// Output:
	// save the next state before the frame leaves: 1 session
	// Bob reads "hello", a new session: true
}

// A program that holds a person's key signs the list of its devices each time one comes or goes.
func Example_registration() {
	own := session.Person{User: keypair.GenerateSigningKey(), Account: keypair.GenerateKey[key.Account]()}
	phone := must(session.NewDevice(own.Address(), time.Now()))
	first := must(own.Register(phone.Entry()))
	person := must(first.Verify(own.Address()))

	laptop := must(session.NewDevice(person.Address(), time.Now()))
	second := must(own.Register(append(person.Entries(), laptop.Entry())...))
	person = must(second.Verify(person.Address()))
	fmt.Println(len(must(person.Peers(phone.Bundle(), laptop.Bundle()))), "devices")
	// Output: 2 devices
}
