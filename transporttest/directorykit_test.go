package transporttest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// The directory in memory passes, by itself and beside the network in memory.
func TestDirectory(t *testing.T) {
	RunDirectory(t, func(*testing.T) Reach {
		d := NewDirectory()
		return func(trefoil.Signer) trefoil.Directory { return d }
	})
	RunDirectory(t, func(*testing.T) Reach {
		d, n := NewDirectory(), NewNetwork()
		return func(s trefoil.Signer) trefoil.Directory { return atRelay{d, n.Device(nameOf(s))} }
	})
}

// atRelay is a directory with a line.
type atRelay struct {
	trefoil.Directory
	trefoil.Transport
}

func nameOf(s trefoil.Signer) string {
	_, name, _ := s.Device(context.Background())
	return name.String()
}

// closed is a line to a relay that lets in only whom its directory knows, and subscribes nobody with the registration.
type closed struct{ trefoil.Transport }

func (closed) Subscribe(context.Context, string) error { return trefoil.ErrNotRegistered }

// spoilt is a directory with a fault.
type spoilt struct {
	*Directory
	lookup  func(trefoil.Listing) trefoil.Listing
	claim   func(directory.OneTimePreKey, bool) (directory.OneTimePreKey, bool)
	publish func(trefoil.Publication) trefoil.Publication
	ctx     func(context.Context) context.Context
	net     *Network // to which its lines are closed; nil if it has none
}

// reach returns the directory as a device reaches it.
func (s spoilt) reach(by trefoil.Signer) trefoil.Directory {
	if s.net == nil {
		return s
	}
	return atRelay{s, closed{s.net.Device(nameOf(by))}}
}

func (s spoilt) Lookup(ctx context.Context, who key.Address) (trefoil.Listing, error) {
	if s.ctx != nil {
		ctx = s.ctx(ctx)
	}
	l, err := s.Directory.Lookup(ctx, who)
	if s.lookup != nil {
		l = s.lookup(l)
	}
	return l, err
}

func (s spoilt) Claim(ctx context.Context, who key.Address, device key.PublicKey[key.Identity]) (directory.OneTimePreKey, bool, error) {
	o, ok, err := s.Directory.Claim(ctx, who, device)
	if s.claim != nil {
		o, ok = s.claim(o, ok)
	}
	return o, ok, err
}

func (s spoilt) Publish(ctx context.Context, p trefoil.Publication) (int, error) {
	if s.publish != nil {
		p = s.publish(p)
	}
	return s.Directory.Publish(ctx, p)
}

// Each fault is seen by the check that is for it.
func TestBrokenDirectories(t *testing.T) {
	faults := map[string]func() spoilt{
		"Nobody": func() spoilt {
			return spoilt{lookup: func(l trefoil.Listing) trefoil.Listing { l.Version++; return l }}
		},
		"Published": func() spoilt {
			return spoilt{lookup: func(l trefoil.Listing) trefoil.Listing { l.Bundles = nil; return l }}
		},
		"AllOrNothing": func() spoilt { // the registration is taken although the signature is another person's
			return spoilt{publish: func(p trefoil.Publication) trefoil.Publication {
				if p.Version == 2 {
					p = trefoil.Publication{Bundle: p.Bundle}
				}
				return p
			}}
		},
		"NextVersion": func() spoilt {
			first := true
			return spoilt{publish: func(p trefoil.Publication) trefoil.Publication {
				if p.Registration != nil && !first {
					p.Version = 2
				}
				first = false
				return p
			}}
		},
		"ClaimedOnce": func() spoilt {
			var kept directory.OneTimePreKey
			return spoilt{claim: func(o directory.OneTimePreKey, ok bool) (directory.OneTimePreKey, bool) {
				if kept.ID() == 0 {
					kept = o
				}
				return kept, true
			}}
		},
		"LookupConsumesNothing": func() spoilt {
			s := spoilt{claim: func(o directory.OneTimePreKey, _ bool) (directory.OneTimePreKey, bool) { return o, false }}
			return s
		},
		"NewBundle": func() spoilt {
			var first directory.Bundle
			return spoilt{publish: func(p trefoil.Publication) trefoil.Publication {
				if p.Bundle.Number() == 2 {
					p.Bundle, p.OneTime = first, nil
				} else if p.OneTime != nil {
					first = p.Bundle
				}
				return p
			}}
		},
		"SecondDevice": func() spoilt {
			return spoilt{lookup: func(l trefoil.Listing) trefoil.Listing { l.Bundles = l.Bundles[:min(1, len(l.Bundles))]; return l }}
		},
		"Deleted": func() spoilt {
			return spoilt{publish: func(p trefoil.Publication) trefoil.Publication {
				if p.Deleted && p.Version == 2 {
					p = trefoil.Publication{Bundle: p.Bundle}
				}
				return p
			}}
		},
		"MailboxIsRead": func() spoilt { return spoilt{net: NewNetwork()} },
		"Context": func() spoilt {
			return spoilt{ctx: func(context.Context) context.Context { return context.Background() }}
		},
	}
	require.Len(t, faults, len(directoryChecks))
	for _, c := range directoryChecks {
		t.Run(c.name, func(t *testing.T) {
			s := faults[c.name]()
			s.Directory = NewDirectory()
			r := &recorder{TB: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				c.run(directoryKit{r, s.reach})
			}()
			<-done
			require.NotEmpty(t, r.failure)
		})
	}
}
