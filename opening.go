package trefoil

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/state"
)

// Envelope is the frame of a direct message for one device, at a relay that keeps how sessions begin (docs/RELAY.md, rule 12). Only a
// Transport has to do with it that has a method
//
//	BeginSession(ctx context.Context, with key.Address, request [16]byte, envelopes []Envelope) state.Delivery
//
// It is called, beside Post, with the frames of a message with which a session begins: one for every device of a person and of this
// device's own person, except this device. The answer is Delivered once all of them are stored, or those of the same request were, and
// Rejected if they never will be, which is no error. Each device gets its frame by Receive, as if it had been posted to Topic.
type Envelope struct {
	Person    key.Address                  // whose device it is for
	Device    key.PublicKey[key.Identity]  // the name of the device: see directory.Entry
	Ephemeral key.PublicKey[key.Ephemeral] // that of the initiation; of another frame one that was drawn to name the envelope
	Topic     string
	Frame     []byte

	begins bool // a session begins with the frame
}

// keeper is a Transport that keeps how sessions begin.
type keeper interface {
	BeginSession(ctx context.Context, with key.Address, request [16]byte, envelopes []Envelope) state.Delivery
}

// opening is a letter with its frames for all devices of two persons but this one, as it waits in the outbox of a talk for a keeper.
type opening struct {
	request   [16]byte
	completed uint8 // how often devices were added or left out
	letter    []byte
	envelopes []Envelope
}

// Where something waits in the outbox of a talk beside unsent: a letter that a keeper is given whether a session begins with it or not, and
// an opening.
const (
	unsentToKeep = "keep"
	unkept       = "relay"
)

func newOpening(letter []byte) *opening {
	o := &opening{letter: letter}
	rand.Read(o.request[:])
	return o
}

// add takes in what was put into the outbox for a device, in place of what it has of that device.
func (o *opening) add(p directory.Peer, out session.Outgoing) {
	e := Envelope{Person: p.Person(), Device: p.Name(), Ephemeral: out.Ephemeral, Topic: out.To.String(), Frame: out.Frame, begins: out.First}
	if i := o.find(p); i >= 0 {
		o.envelopes[i] = e
		return
	}
	o.envelopes = append(o.envelopes, e)
}

// find returns the place of a device's envelope, or -1.
func (o *opening) find(p directory.Peer) int {
	return slices.IndexFunc(o.envelopes, func(e Envelope) bool { return e.isFor(p) })
}

func (e Envelope) isFor(p directory.Peer) bool {
	return e.Person == p.Person() && e.Device.Equal(p.Name())
}

// begins reports whether a session begins with one of the frames.
func (o *opening) begins() bool {
	return slices.ContainsFunc(o.envelopes, func(e Envelope) bool { return e.begins })
}

// wait puts the opening into the outbox, unless no keeper takes it.
func (o *opening) wait(tx talkTx) {
	for i, e := range o.envelopes {
		if len(e.Frame) > maxEnvelope {
			return
		}
		if e.Ephemeral.IsZero() {
			o.envelopes[i].Ephemeral = keypair.GenerateKey[key.Ephemeral]().Public()
		}
	}
	tx.Send(unkept, o.encode())
}

const openingVersion = 1

// encode returns u8(1) ‖ request ‖ u8 completed ‖ vec32(letter) ‖ u32(number) ‖ (person ‖ device ‖ ephemeral key ‖ vec8(topic) ‖
// vec32(frame))….
func (o *opening) encode() []byte {
	w := wire.NewWriter(64 + len(o.letter) + len(o.envelopes)*(4<<10))
	w.U8(openingVersion)
	w.Fixed(o.request[:])
	w.U8(o.completed)
	w.Vec32(o.letter)
	w.U32(uint32(len(o.envelopes)))
	for _, e := range o.envelopes {
		w.Fixed(e.Person[:])
		w.Fixed(e.Device.Bytes())
		w.Fixed(e.Ephemeral.Bytes())
		w.Vec8([]byte(e.Topic))
		w.Vec32(e.Frame)
	}
	return w.Bytes()
}

func parseOpening(b []byte) (*opening, error) {
	r := wire.NewReader(b)
	r.Version8(openingVersion, openingVersion)
	o := new(opening)
	r.Into(o.request[:])
	o.completed = r.U8()
	o.letter = r.Vec32(letterHeader + MaxBody)
	for range r.Count(2*directory.MaxDevices, len(key.Address{})+2*key.PublicKeySize+5) {
		var e Envelope
		r.Into(e.Person[:])
		device, ephemeral := r.Fixed(key.PublicKeySize), r.Fixed(key.PublicKeySize)
		e.Topic, e.Frame = string(r.Vec8(255)), r.Vec32(maxEnvelope)
		if r.Err() != nil {
			break
		}
		var err error
		if e.Device, err = key.ParsePublicKey[key.Identity](device); err != nil {
			return nil, err
		}
		if e.Ephemeral, err = key.ParsePublicKey[key.Ephemeral](ephemeral); err != nil {
			return nil, err
		}
		o.envelopes = append(o.envelopes, e)
	}
	return o, r.Done()
}

// differs returns the devices that an opening has no frame for and should have, and the frames that it should have.
func (o *opening) differs(devices []directory.Peer, own key.PublicKey[key.Identity]) (missing []directory.Peer, rest []Envelope) {
	for _, p := range devices {
		if !p.Name().Equal(own) && o.find(p) < 0 {
			missing = append(missing, p)
		}
	}
	for _, e := range o.envelopes {
		if slices.ContainsFunc(devices, e.isFor) {
			rest = append(rest, e)
		}
	}
	return missing, rest
}

// keep gives an opening to the relay, after it was completed if the devices are others meanwhile. It returns the slots whose outboxes
// hold frames. The frames are posted in any case, so what is never kept is no error.
func (d *directs) keep(ctx context.Context, id state.ID, out state.Outgoing) (answer state.Delivery, slots []state.ID, err error) {
	o, err := parseOpening(out.Data)
	if err != nil {
		return answer, nil, err
	}
	if d.keeper == nil { // the transport is another one now
		return state.Delivered(), nil, nil
	}
	person, devices, err := d.readers(ctx, key.Address(id))
	if errors.Is(err, ErrNobody) { // the person is gone
		return state.Delivered(), nil, nil
	}
	if err != nil {
		return answer, nil, err
	}
	own, err := d.devices.Load(ctx, d.endpoint.Device)
	if err != nil {
		return answer, nil, err
	}
	missing, rest := o.differs(devices, own.Part().Name())
	if len(missing) > 0 || len(rest) < len(o.envelopes) {
		return d.complete(ctx, id, out, person, o, missing, rest)
	}
	answer = d.keeper.BeginSession(ctx, key.Address(id), o.request, o.envelopes)
	if _, again := answer.Again(); again {
		return answer, nil, nil
	}
	return state.Delivered(), nil, nil
}

// complete replaces an opening by one for other devices, in one commit with the frames for those that it had none for. The writer is told of
// a person's other devices, as when a message is encrypted first.
func (d *directs) complete(ctx context.Context, id state.ID, out state.Outgoing, person directory.Person, o *opening,
	missing []directory.Peer, rest []Envelope) (answer state.Delivery, slots []state.ID, err error) {
	if o.completed >= maxCompleted {
		return state.Delivered(), nil, nil
	}
	next := newOpening(o.letter)
	next.completed, next.envelopes = o.completed+1, rest
	steps, slots, err := d.endpoint.Sending(ctx, o.letter, next.add, missing...)
	if err != nil {
		return answer, nil, err
	}
	err = state.Batch(ctx, append(steps, d.talks.Updating(id, func(tx talkTx) error {
		if !tx.Withdraw(out.Seq) {
			return errSentAlready
		}
		writesTo(tx, person)
		next.wait(tx)
		return nil
	}))...)
	if errors.Is(err, errSentAlready) {
		return state.Delivered(), nil, nil
	}
	if err != nil {
		return answer, nil, err
	}
	return state.Delivered(), slots, nil
}
