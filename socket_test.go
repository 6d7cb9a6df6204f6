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
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/transporttest"
)

// A transport over a socket, so that devices can be processes: each call is a connection, on which JSON goes both ways.

type call struct {
	Device, Op, Topic string
	Topics            []string
	Data              []byte
}

type answer struct {
	Delivered   bool
	Topic, From string
	Data        []byte
	Ack         int // to be sent back
}

// socketRelay serves a network at a socket. Devices that are cut off get no answer.
type socketRelay struct {
	net *transporttest.Network
	mu  sync.Mutex
	cut map[string][]net.Conn // those that are cut off have an entry
	up  map[string][]net.Conn
}

func serve(t *testing.T, path string) *socketRelay {
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	s := &socketRelay{net: transporttest.NewNetwork(), cut: make(map[string][]net.Conn), up: make(map[string][]net.Conn)}
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
	d := s.net.Device(c.Device)
	switch c.Op {
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
	out.Encode(answer{Delivered: true})
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

func (s socket) ask(ctx context.Context, c call) error {
	conn, err := s.dial(ctx, c)
	if conn == nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	var a answer
	if err := json.NewDecoder(conn).Decode(&a); err != nil || !a.Delivered {
		return errors.Join(errNoAnswer, err)
	}
	return nil
}

func (s socket) Post(ctx context.Context, topic string, frame []byte) state.Delivery {
	if s.ask(ctx, call{Op: "post", Topic: topic, Data: frame}) != nil {
		return state.RetryAfter(0)
	}
	return state.Delivered()
}

func (s socket) Subscribe(ctx context.Context, topic string) error {
	return s.ask(ctx, call{Op: "subscribe", Topic: topic})
}

func (s socket) Unsubscribe(ctx context.Context, topic string) error {
	return s.ask(ctx, call{Op: "unsubscribe", Topic: topic})
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

// The transport over a socket keeps the contract.
func TestSocket(t *testing.T) {
	transporttest.Run(t, func(t *testing.T) transporttest.Connect {
		path := t.TempDir() + "/relay"
		serve(t, path)
		return func(device string) trefoil.Transport { return socket{path, device} }
	})
}
