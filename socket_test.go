package trefoil_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/transporttest"
)

// A transport and a directory over a socket, so that devices can be processes: each call is a connection, on which JSON goes both ways.

type call struct {
	Device, Op, Topic string // where the directory is asked, Topic is the address of a person
	Topics            []string
	Data              []byte // of a claim: the identity of a device
	Published         published
}

type answer struct {
	Delivered   bool
	Failed      string // why the directory refuses
	Topic, From string
	Data        []byte // of a claim: a one-time pre-key, nil if there is none left
	Ack         int    // to be sent back
	Left        int    // one-time pre-keys
	Listed      listed
}

// socketRelay serves a network and a directory at a socket. Devices that are cut off get no answer.
type socketRelay struct {
	net *transporttest.Network
	dir *transporttest.Directory
	mu  sync.Mutex
	cut map[string][]net.Conn // those that are cut off have an entry
	up  map[string][]net.Conn
}

func serve(t *testing.T, path string) *socketRelay {
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	s := &socketRelay{net: transporttest.NewNetwork(), dir: transporttest.NewDirectory(), cut: make(map[string][]net.Conn), up: make(map[string][]net.Conn)}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { defer conn.Close(); s.serve(t.Context(), conn) })
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	return s
}

// cutOff cuts a device off, or lets it back.
func (s *socketRelay) cutOff(device string, off bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.cut, device); !off {
		return
	}
	s.cut[device] = nil
	for _, conn := range s.up[device] {
		conn.Close()
	}
	delete(s.up, device)
}

func (s *socketRelay) serve(ctx context.Context, conn net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	in, out := json.NewDecoder(conn), json.NewEncoder(conn)
	var c call
	if in.Decode(&c) != nil {
		return
	}
	s.mu.Lock()
	_, cut := s.cut[c.Device]
	s.up[c.Device] = append(s.up[c.Device], conn)
	s.mu.Unlock()
	if cut {
		return
	}
	d, a := s.net.Device(c.Device), answer{Delivered: true}
	switch c.Op {
	case "lookup", "claim", "publish":
		if err := s.direct(ctx, c, &a); err != nil {
			a.Failed = err.Error()
		}
	case "post":
		d.Post(ctx, c.Topic, c.Data)
	case "subscribe":
		d.Subscribe(ctx, c.Topic)
	case "unsubscribe":
		d.Unsubscribe(ctx, c.Topic)
	case "receive":
		var mu sync.Mutex
		acks := []func(){func() {}}
		go func() {
			defer cancel()
			for n := 0; in.Decode(&n) == nil; {
				mu.Lock()
				ack := acks[n]
				mu.Unlock()
				ack()
			}
		}()
		d.Receive(ctx, slices.Values(c.Topics), func(f trefoil.Frame) {
			a := answer{Topic: f.Topic, From: f.From, Data: f.Data}
			if f.Topic != "" {
				mu.Lock()
				a.Ack, acks = len(acks), append(acks, f.Ack)
				mu.Unlock()
			}
			if out.Encode(a) != nil {
				cancel()
			}
		})
		return
	}
	out.Encode(a)
}

// socket is a device's side.
type socket struct{ path, device string }

var errNoAnswer = errors.New("no answer")

func (s socket) dial(ctx context.Context, c call) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", s.path)
	if err != nil {
		return nil, err
	}
	c.Device = s.device
	return conn, json.NewEncoder(conn).Encode(c)
}

func (s socket) ask(ctx context.Context, c call) (a answer, err error) {
	conn, err := s.dial(ctx, c)
	if conn == nil {
		return a, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := json.NewDecoder(conn).Decode(&a); err != nil || !a.Delivered {
		return a, errors.Join(errNoAnswer, err, ctx.Err())
	}
	if a.Failed != "" {
		return a, errors.New(a.Failed)
	}
	return a, nil
}

func (s socket) Post(ctx context.Context, topic string, frame []byte) state.Delivery {
	if _, err := s.ask(ctx, call{Op: "post", Topic: topic, Data: frame}); err != nil {
		return state.RetryAfter(0)
	}
	return state.Delivered()
}

func (s socket) Subscribe(ctx context.Context, topic string) error {
	_, err := s.ask(ctx, call{Op: "subscribe", Topic: topic})
	return err
}

func (s socket) Unsubscribe(ctx context.Context, topic string) error {
	_, err := s.ask(ctx, call{Op: "unsubscribe", Topic: topic})
	return err
}

func (s socket) Receive(ctx context.Context, topics iter.Seq[string], handle func(trefoil.Frame)) error {
	conn, err := s.dial(ctx, call{Op: "receive", Topics: slices.Collect(topics)})
	if conn == nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	var mu sync.Mutex
	out := json.NewEncoder(conn)
	for in := json.NewDecoder(conn); ; {
		var a answer
		if err := in.Decode(&a); err != nil {
			return err
		}
		handle(trefoil.Frame{Topic: a.Topic, From: a.From, Data: a.Data, Ack: func() {
			mu.Lock()
			defer mu.Unlock()
			out.Encode(a.Ack)
		}})
	}
}

// published is a trefoil.Publication, and listed a trefoil.Listing.
type (
	published struct {
		Person, Registration     []byte
		Deleted                  bool
		Version                  uint64
		Bundle, Further, Consent []byte // of bundles: nil for the zero Bundle
		OneTime                  [][]byte
	}
	listed struct {
		Registration []byte
		Version      uint64
		Bundles      [][]byte
	}
)

// direct asks the directory. What does not parse comes from nobody here.
func (s *socketRelay) direct(ctx context.Context, c call, a *answer) (err error) {
	switch c.Op {
	case "lookup":
		l, err := s.dir.Lookup(ctx, must(key.ParseAddress(c.Topic)))
		a.Listed = listed{Registration: l.Registration, Version: l.Version}
		for _, b := range l.Bundles {
			a.Listed.Bundles = append(a.Listed.Bundles, must(b.MarshalBinary()))
		}
		return err
	case "claim":
		o, ok, err := s.dir.Claim(ctx, must(key.ParseAddress(c.Topic)), must(key.ParsePublicKey[key.Identity](c.Data)))
		if ok {
			a.Data = must(o.MarshalBinary())
		}
		return err
	}
	in := c.Published
	p := trefoil.Publication{Registration: in.Registration, Deleted: in.Deleted, Version: in.Version, Consent: in.Consent}
	if in.Registration != nil || in.Deleted {
		p.Person = must(key.ParseVerifyKey(in.Person))
	}
	if in.Bundle != nil {
		p.Bundle = must(directory.ParseBundle(in.Bundle))
	}
	if in.Further != nil {
		p.Further = must(directory.ParseBundle(in.Further))
	}
	for _, o := range in.OneTime {
		p.OneTime = append(p.OneTime, must(directory.ParseOneTimePreKey(o)))
	}
	a.Left, err = s.dir.Publish(ctx, p)
	return err
}

func (s socket) Lookup(ctx context.Context, person key.Address) (l trefoil.Listing, err error) {
	a, err := s.ask(ctx, call{Op: "lookup", Topic: person.String()})
	if err != nil {
		return l, err
	}
	l = trefoil.Listing{Registration: a.Listed.Registration, Version: a.Listed.Version}
	for _, raw := range a.Listed.Bundles {
		b, err := directory.ParseBundle(raw)
		if err != nil {
			return l, err
		}
		l.Bundles = append(l.Bundles, b)
	}
	return l, nil
}

func (s socket) Claim(ctx context.Context, person key.Address, device key.PublicKey[key.Identity]) (o directory.OneTimePreKey, ok bool, err error) {
	a, err := s.ask(ctx, call{Op: "claim", Topic: person.String(), Data: device.Bytes()})
	if err != nil || a.Data == nil {
		return o, false, err
	}
	o, err = directory.ParseOneTimePreKey(a.Data)
	return o, err == nil, err
}

func (s socket) Publish(ctx context.Context, p trefoil.Publication) (left int, err error) {
	out := published{Person: p.Person.Bytes(), Registration: p.Registration, Deleted: p.Deleted, Version: p.Version, Consent: p.Consent}
	if p.Bundle.Number() > 0 {
		out.Bundle = must(p.Bundle.MarshalBinary())
	}
	if p.Further.Number() > 0 {
		out.Further = must(p.Further.MarshalBinary())
	}
	for _, o := range p.OneTime {
		out.OneTime = append(out.OneTime, must(o.MarshalBinary()))
	}
	a, err := s.ask(ctx, call{Op: "publish", Published: out})
	return a.Left, err
}

// The directory over a socket keeps its contract.
func TestSocketDirectory(t *testing.T) {
	transporttest.RunDirectory(t, func(t *testing.T) transporttest.Reach {
		path := t.TempDir() + "/relay"
		serve(t, path)
		return func(s trefoil.Signer) trefoil.Directory {
			_, name, err := s.Device(t.Context())
			require.NoError(t, err)
			return socket{path, name.String()}
		}
	})
}

// The transport over a socket keeps the contract.
func TestSocket(t *testing.T) {
	transporttest.Run(t, func(t *testing.T) transporttest.Connect {
		path := t.TempDir() + "/relay"
		serve(t, path)
		return func(device string) trefoil.Transport { return socket{path, device} }
	})
}
