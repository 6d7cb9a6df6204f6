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
	user, account := keypair.GenerateSigningKey(), keypair.GenerateKey[key.Account]()
	device := must(session.NewDevice(user.Public().Address(), time.Now()))
	registration := must(directory.NewRegistration(user.Public(), account.Public(), user.Sign, device.Entry()))
	found := must(directory.ParseRegistration(registration.JSON()))
	return device, must(found.Verify(user.Public().Address()))
}

// program is a device with the vault that holds its sessions, here in memory.
type program struct {
	device   session.Device
	sessions *state.Vault[session.Session]
}

func open(device session.Device) program {
	key := must(state.NewKey(make([]byte, state.KeySize))) // in a real program from the platform's key store
	return program{device, must(state.Open[session.Session](context.Background(), store.NewMemory(), key, state.Options{}))}
}

// slot makes sure that there is a slot for a peer.
func (p program) slot(ctx context.Context, peer directory.Peer) state.ID {
	first := must(session.New(p.device, peer))
	if err := p.sessions.Create(ctx, first, nil); err != nil {
		log.Fatal(err) // state.ErrExists if it is there already
	}
	return first.ID()
}

// post hands the outbox over and returns the last frame.
func (p program) post(ctx context.Context, id state.ID) (frame []byte) {
	must(p.sessions.Flush(ctx, id, func(_ context.Context, o state.Outgoing) state.Delivery {
		frame = o.Data
		return state.Delivered()
	}))
	return frame
}

// read prints what was delivered to the inbox.
func (p program) read(ctx context.Context, who string, id state.ID) {
	err := p.sessions.Drain(ctx, id, func(_ context.Context, in state.Incoming) error {
		fmt.Printf("%s reads %q\n", who, in.Data())
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
}

// A first message to somebody who is offline, and an answer, with the sessions in vaults. See examples/direct for a whole
// program.
func Example() {
	ctx := context.Background()
	annDevice, annPerson := register()
	bobDevice, bobPerson := register()
	ann, bob := open(annDevice), open(bobDevice)

	// Ann looks up Bob's devices. The one has published a bundle, so they agree in the hybrid suite.
	toBob := must(bobPerson.Peers(bobDevice.Bundle()))[0]
	atAnn := ann.slot(ctx, toBob)
	if err := ann.sessions.Update(ctx, atAnn, session.Send(annDevice, toBob, time.Now(), []byte("hello"))); err != nil {
		log.Fatal(err)
	}
	frame := ann.post(ctx, atAnn)

	// The frame comes to the mailbox of Bob's device. Its claimed sender is looked up before anything is believed.
	claim := must(bobDevice.Claim(frame))
	fmt.Println("from Ann:", claim.Person == annPerson.Address())
	toAnn := must(annPerson.Peer(claim.Identity))
	atBob := bob.slot(ctx, toAnn)
	must(bob.sessions.Receive(ctx, atBob, state.Frame{Data: frame}, session.Opener(func() session.Device { return bobDevice })))
	bob.read(ctx, "Bob", atBob)

	if err := bob.sessions.Update(ctx, atBob, session.Send(bobDevice, toAnn, time.Now(), []byte("hello yourself"))); err != nil {
		log.Fatal(err)
	}
	must(ann.sessions.Receive(ctx, atAnn, state.Frame{Data: bob.post(ctx, atBob)}, session.Opener(func() session.Device { return annDevice })))
	ann.read(ctx, "Ann", atAnn)
	fmt.Println("post-quantum:", must(ann.sessions.Load(ctx, atAnn)).Part().IsPostQuantum())
	// Output:
	// from Ann: true
	// Bob reads "hello"
	// Ann reads "hello yourself"
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
	user, account := keypair.GenerateSigningKey(), keypair.GenerateKey[key.Account]()
	phone := must(session.NewDevice(user.Public().Address(), time.Now()))
	first := must(directory.NewRegistration(user.Public(), account.Public(), user.Sign, phone.Entry()))
	person := must(first.Verify(user.Public().Address()))

	laptop := must(session.NewDevice(person.Address(), time.Now()))
	second := must(directory.NewRegistration(user.Public(), account.Public(), user.Sign, append(person.Entries(), laptop.Entry())...))
	person = must(second.Verify(person.Address()))
	fmt.Println(len(must(person.Peers(phone.Bundle(), laptop.Bundle()))), "devices")
	// Output: 2 devices
}
