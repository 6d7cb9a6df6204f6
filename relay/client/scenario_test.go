package client_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/relay/client"
	"github.com/trefoil-im/trefoil/relay/httprelay"
	"github.com/trefoil-im/trefoil/relay/relaytest"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// device is a whole device: a trefoil.Client on the relay.
type device struct {
	*trefoil.Client
	line  *client.Client
	who   key.Address
	store *store.Memory
	key   state.Key
	raw   []byte // of key
	stop  func() // ends Run

	mu   sync.Mutex
	came chan struct{} // closed when something comes
	told []event.Event
}

// device runs a device of a new person.
func (w *server) device(name string, change func(*client.Options)) *device {
	w.Helper()
	d := w.open(name, store.NewMemory(), change)
	var err error
	d.who, err = d.NewPerson(w.Context())
	require.NoError(w, err)
	w.run(d)
	return d
}

// open opens the device in a store.
func (w *server) open(name string, s *store.Memory, change func(*client.Options)) *device {
	w.Helper()
	o := client.Options{URL: w.url, Name: relayName, Poll: 20 * time.Millisecond}
	if change != nil {
		change(&o)
	}
	line, err := client.New(o)
	require.NoError(w, err)
	d := &device{line: line, store: s, raw: []byte(fmt.Sprintf("%-32s", "the key of the vault of "+name)), came: make(chan struct{})}
	d.key, err = state.NewKey(d.raw)
	require.NoError(w, err)
	d.Client, err = trefoil.Open(w.Context(), d.store, d.key, line, trefoil.Options{
		Directory: line, Profile: []byte("the name of " + name), Handle: func(_ context.Context, e event.Event) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.told = append(d.told, e)
			close(d.came)
			d.came = make(chan struct{})
			return nil
		},
	})
	require.NoError(w, err)
	return d
}

// run runs a device until stop, or the end of the test.
func (w *server) run(d *device) {
	ctx, cancel := context.WithCancel(w.Context())
	var ran sync.WaitGroup
	ran.Go(func() { d.Run(ctx) })
	d.stop = func() { cancel(); ran.Wait() }
	w.Cleanup(d.stop)
}

// wait waits for an event.
func (w *server) wait(d *device, what string, is func(event.Event) bool) {
	w.Helper()
	for deadline := time.After(patience); ; {
		d.mu.Lock()
		found, came := slices.ContainsFunc(d.told, is), d.came
		d.mu.Unlock()
		if found {
			return
		}
		select {
		case <-came:
		case <-deadline:
			require.FailNow(w, "missing: "+what)
		}
	}
}

func (w *server) reads(d *device, text string) {
	w.Helper()
	w.wait(d, text, func(e event.Event) bool {
		m, ok := e.(event.Message)
		return ok && string(m.Body) == text && !m.Own
	})
}

// Two devices meet in a space and in a direct conversation, one is removed, with wakes and on a relay that has none. Nothing that the
// relay stores holds a secret of either.
func TestDevicesOnARelay(t *testing.T) {
	for _, push := range []bool{true, false} {
		t.Run(fmt.Sprintf("push=%t", push), func(t *testing.T) {
			o := httprelay.Options{}
			if !push {
				o.Lines = -1
			}
			w := serve(t, openSQLite(t), o)
			ann, bob := w.device("ann", nil), w.device("bob", nil)
			link := w.meet(ann, bob)
			secrets := w.secrets(ann, bob, link)
			require.Len(t, secrets, 4+2*7, "there are all")
			dump, err := relaytest.Dump(t.Context(), w.store)
			require.NoError(t, err)
			public := w.identity(ann).Bytes() // in JSON, as hexadecimal digits
			require.Contains(t, dump, hex.EncodeToString([]byte(hex.EncodeToString(public))), "what is there is found")
			for what, s := range secrets {
				require.GreaterOrEqual(t, len(s), 8, what)
				for _, form := range []string{string(s), hex.EncodeToString(s), base64.StdEncoding.EncodeToString(s)[:len(s)]} {
					require.NotContains(t, dump, hex.EncodeToString([]byte(form)), what)
				}
			}
		})
	}
}

// meet has two devices meet in a space and in a direct conversation, and the first one remove the other. It returns the link by which the
// other one joined.
func (w *server) meet(ann, bob *device) []byte {
	w.Helper()
	space, err := ann.NewSpace(w.Context())
	require.NoError(w, err)
	require.NoError(w, space.SetTitle(w.Context(), "the title of the space"))
	made, err := space.Invite(w.Context(), invite.Private(0))
	require.NoError(w, err)
	link, err := made.Link.URL("https://chat.example/")
	require.NoError(w, err)
	joined, err := bob.Join(w.Context(), link)
	require.NoError(w, err)
	send := func(send func(context.Context, []byte) (event.ID, error), to *device, text string) {
		w.Helper()
		_, err := send(w.Context(), []byte(text))
		require.NoError(w, err)
		if to != nil {
			w.reads(to, text)
		}
	}
	send(joined.Send, ann, "a message of bob to the space")
	send(space.Send, bob, "a message of ann to the space")
	send(ann.Direct(bob.who).Send, bob, "a message of ann to bob")
	send(bob.Direct(ann.who).Send, ann, "a message of bob to ann")
	send(ann.Direct(bob.who).Send, bob, "another message of ann to bob")
	members, err := space.Members(w.Context())
	require.NoError(w, err)
	require.NoError(w, space.Remove(w.Context(), members[1].Index))
	w.wait(bob, "removal", func(e event.Event) bool { _, ok := e.(event.Removed); return ok })
	send(space.Send, nil, "a message of ann without bob")
	return made.Link.Bytes()
}

// secrets returns what the relay must not know of two devices that met.
func (w *server) secrets(ann, bob *device, link []byte) map[string][]byte {
	w.Helper()
	secrets := map[string][]byte{
		"title": []byte("the title of the space"), "name": []byte("the name of "), "text": []byte("message of "), "link": link[1:],
	}
	for name, d := range map[string]*device{"ann": ann, "bob": bob} {
		secrets["vault of "+name] = d.raw
		for what, s := range w.privateKeys(d) {
			secrets[what+" of "+name] = s
		}
	}
	return secrets
}

// identity returns the public key of a device, as the relay has it.
func (w *server) identity(d *device) key.PublicKey[key.Identity] {
	w.Helper()
	found, err := d.line.Directory.Lookup(w.Context(), d.who, 0)
	require.NoError(w, err)
	b, err := directory.ParseBundle(found.Devices[0].Bundle)
	require.NoError(w, err)
	return b.Identity()
}

// plainDevice is a session.Device as it lies under the seal.
type plainDevice struct{ b []byte }

func (plainDevice) StoredAs() store.Kind       { return store.Devices }
func (p plainDevice) IsZero() bool             { return len(p.b) == 0 }
func (p plainDevice) Encode(e *state.Encoder)  { e.Bytes(p.b) }
func (plainDevice) Succeeds(plainDevice) error { return nil }

func (plainDevice) Decode(in *state.Decoder) (plainDevice, error) {
	b := in.Bytes(1 << 20)
	return plainDevice{b}, in.Err()
}

// privateKeys returns the private keys of a device and its person, out of its vault.
func (w *server) privateKeys(d *device) map[string][]byte {
	w.Helper()
	persons, err := state.Open[state.One[session.Person]](w.Context(), d.store, d.key, state.Options{})
	require.NoError(w, err)
	ids, err := persons.List(w.Context())
	require.NoError(w, err)
	require.Len(w, ids, 1)
	person, err := persons.Load(w.Context(), ids[0])
	require.NoError(w, err)
	devices, err := state.Open[state.One[plainDevice]](w.Context(), d.store, d.key, state.Options{})
	require.NoError(w, err)
	ids, err = devices.List(w.Context())
	require.NoError(w, err)
	own, err := devices.Load(w.Context(), ids[0])
	require.NoError(w, err)
	r := wire.NewReader(own.Part().b) // the form is that of session.Device
	r.U16()
	r.Fixed(len(key.Address{}) + key.PublicKeySize)
	r.U32()
	private := func() []byte {
		k := r.Fixed(keypair.PrivateKeySize)
		r.Fixed(key.PublicKeySize)
		return k
	}
	out := map[string][]byte{"person": person.Part().User.Seed(), "account": person.Part().Account.Bytes()}
	out["identity"], out["pre-key"] = private(), private()
	out["mailbox"] = r.Fixed(keypair.SeedSize)
	out["inbox"] = private()
	require.NoError(w, r.Err())
	return out
}
