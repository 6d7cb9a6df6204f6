package simnet

import (
	"errors"
	"fmt"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
)

// text is something a member said.
type text struct {
	words string
	from  *Member
	owed  map[*Member]bool // who must read it, if it gets there
	*posting
}

// say notes a text that was committed. It is owed to everybody whose first message the sender had read then (§12), and
// to nobody else: a joiner or a restored member may or may not read what was under way before.
func (n *Net) say(from *Member, words string, p *posting) {
	require.NotContains(n.t, n.texts, words, "texts differ from each other")
	t := &text{words: words, from: from, owed: make(map[*Member]bool), posting: p}
	for _, m := range n.Members {
		if m != from && !m.Disputed && !from.Disputed && from.heard[m] >= m.voice {
			t.owed[m] = true
		}
	}
	n.stats.Texts++
	n.texts[words] = t
	p.text = t
}

// place is where a message stands in a space.
type place struct {
	epoch  [32]byte
	sender dkg.Index
	number uint32
}

// checks is what has been seen, to be compared with what comes.
type checks struct {
	nonceOf  map[[12]byte]string // what was sealed under it: never two things
	places   map[place]string    // the text there
	exported map[[32]byte]string // what members of an epoch export: all the same
	bound    map[*Member]map[dkg.Index]ratchet.PublicKey
	restored map[*Member]bool
}

func newChecks() checks {
	return checks{
		nonceOf: make(map[[12]byte]string), places: make(map[place]string), exported: make(map[[32]byte]string),
		bound: make(map[*Member]map[dkg.Index]ratchet.PublicKey), restored: make(map[*Member]bool),
	}
}

// nonces checks that no nonce seals two things, in any frame of the whole run: so none does so under one key. Nonces are
// 12 random bytes in front of each sealed commit, header and body; that two keys share one by chance will not happen.
func (c *checks) nonces(t testing.TB, frame []byte) {
	t.Helper()
	for _, sealed := range sealedIn(frame) {
		nonce := [12]byte(sealed)
		if was, known := c.nonceOf[nonce]; known {
			require.Equal(t, was, string(sealed), "a nonce was used for two ciphertexts")
		}
		c.nonceOf[nonce] = string(sealed)
	}
}

// sealedIn takes a message apart into its sealed commits, header and body (§7).
func sealedIn(frame []byte) (out [][]byte) {
	if len(frame) == 0 || frame[0] != frameMessage {
		return nil
	}
	r := wire.NewReader(frame[1:])
	way := func() {
		for range r.U8() {
			out = append(out, r.Vec16(1<<16-1))
		}
	}
	way()
	for range r.U8() {
		way()
	}
	out = append(out, r.Fixed(52))
	return append(out, r.Vec32(1<<24))
}

// show checks what a member read.
func (m *Member) show(r ratchet.Message) {
	n := m.net
	n.t.Helper()
	n.log.Write(r.ID[:])
	t := n.texts[string(r.Plaintext)]
	require.NotNil(n.t, t, "%s read what nobody said", m.Name)
	for _, before := range m.Read[:len(m.Read)-1] {
		require.False(n.t, before.Epoch == r.Epoch && before.Sender == r.Sender && before.Number == r.Number,
			"%s read %q twice (G12)", m.Name, t.words)
	}
	from := t.from.Info()
	require.Equal(n.t, from.Index, r.Sender, "%s reads %q as from somebody else", m.Name, t.words)
	require.Equal(n.t, from.Key, r.SenderKey)
	require.Equal(n.t, t.from == m, r.Own)
	at := place{r.Epoch, r.Sender, r.Number}
	if was, known := n.checks.places[at]; known && was != t.words && !t.from.Disputed {
		require.True(n.t, n.checks.restored[t.from], "%q and %q have one place", was, t.words)
	}
	n.checks.places[at] = t.words
}

// look checks what can be seen of a member from outside: members of one epoch export the same, and nobody's index changes
// hands but in the sight of all.
func (m *Member) look() {
	n := m.net
	n.t.Helper()
	s := m.Space()
	if secret, epoch, err := ratchet.Export(s, "simnet", nil, 16); err == nil {
		was, known := n.checks.exported[epoch]
		require.True(n.t, !known || was == string(secret), "two secrets of one epoch")
		n.checks.exported[epoch] = string(secret)
	}
	if len(n.Members) <= fewMembers {
		m.bindings(s)
	}
}

// fewMembers is up to how many members everything is checked after every step.
const fewMembers = 16

func (m *Member) bindings(s ratchet.Space) {
	bound := m.net.checks.bound[m]
	if bound == nil {
		bound = make(map[dkg.Index]ratchet.PublicKey)
		m.net.checks.bound[m] = bound
	}
	here := make(map[dkg.Index]bool)
	for _, i := range ratchet.Members(s) {
		require.False(m.net.t, here[i.Index], "%s has two members of index %d (G19)", m.Name, i.Index)
		here[i.Index] = true
		if !i.Heard {
			continue // of two that nobody read either may be listed
		}
		was, known := bound[i.Index]
		told := m.unreported || m.Saw(ratchet.KeyChanged) > 0
		require.True(m.net.t, !known || was == i.Key || told, "at %s index %d changed hands (G19)", m.Name, i.Index)
		bound[i.Index] = i.Key
	}
	m.unreported = false
}

// unreadBy returns what a member must have read and has not, in order.
func (n *Net) unreadBy(m *Member) (missing []string) {
	read := make(map[string]bool, len(m.Read))
	for _, r := range m.Read {
		read[string(r.Plaintext)] = true
	}
	for words, t := range n.texts {
		if t.owed[m] && t.reaches[m] && !read[words] {
			missing = append(missing, words+": "+n.fate(m, t))
		}
	}
	sort.Strings(missing)
	return missing
}

// fate says what became of a text at a member that has not read it.
func (n *Net) fate(m *Member, t *text) string {
	for h, p := range n.posted {
		if p.text != t {
			continue
		}
		if err, unread := m.unread[h]; unread {
			return err.Error()
		}
		if m.held[h] != nil {
			return "retained"
		}
	}
	return "on its way"
}

// atRest reports whether everything was read, and all send in one epoch and know the same members; else what is missing.
func (n *Net) atRest() (missing string, rest bool) {
	want := n.founder.Info()
	for _, m := range n.Members {
		if m.Disputed || m.Offline {
			continue
		}
		if unread := n.unreadBy(m); len(unread) > 0 {
			return fmt.Sprintf("%s has not read %v", m.Name, unread), false
		}
		if at := m.Info(); at.Authenticator != want.Authenticator {
			return fmt.Sprintf("%s is at %x (%d), knows %d; %s at %x (%d), knows %d", m.Name, at.Epoch[:4], at.Generation,
				len(ratchet.Members(m.Space())), n.founder.Name, want.Epoch[:4], want.Generation, len(ratchet.Members(n.founder.Space()))), false
		}
	}
	return "", true
}

// Check fails the test unless everything is as it must be when nothing is under way.
func (n *Net) Check() {
	n.t.Helper()
	want := n.founder.Info()
	for _, m := range n.Members {
		if m.Offline {
			continue
		}
		s := m.Space()
		require.Empty(n.t, n.unreadBy(m), "%s has not read what was delivered (G12)", m.Name)
		m.bindings(s)
		require.True(n.t, m.Reload().Equal(s), "%s: what is stored is not what was saved (G1)", m.Name)
		if m.Disputed {
			continue
		}
		require.Equal(n.t, want.Epoch, m.Info().Epoch, "%s sends in another epoch", m.Name)
		require.Equal(n.t, want.Authenticator, m.Info().Authenticator, "%s knows other members", m.Name)
		for h, p := range m.held {
			require.False(n.t, p.text != nil && p.text.owed[m], "%s keeps %x unread", m.Name, h)
		}
		for h, err := range m.unread {
			p := n.posted[h]
			if p == nil || p.from == nil || p.from.Disputed {
				continue
			}
			for _, never := range []error{ratchet.ErrForged, ratchet.ErrMalformed} {
				require.False(n.t, errors.Is(err, never), "%s settled frame %x: %v", m.Name, h, err)
			}
			if !n.checks.restored[p.from] && !n.checks.restored[m] {
				require.NotErrorIs(n.t, err, ratchettest.ErrSenderRolledBack)
			}
		}
	}
}

// Unread returns why frames were settled that this member has not read.
func (m *Member) Unread() (reasons []error) {
	for _, err := range m.unread {
		reasons = append(reasons, err)
	}
	return reasons
}
