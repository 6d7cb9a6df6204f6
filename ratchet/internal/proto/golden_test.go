package proto

import (
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/cryptotest"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

var update = flag.Bool("update", false, "write the golden files anew")

// codec is one wire format: how it is read and written again, and a sample of it.
type codec struct {
	name   string
	sample func(t testing.TB, w pieces) []byte
	check  func(t testing.TB, in []byte) // wiretest.Check
	accept func(in []byte) error         // as a decoder
}

func newCodec[T any](name string, decode func([]byte) (T, error), encode func(T) []byte, sample func(testing.TB, pieces) []byte) codec {
	return codec{
		name:   name,
		sample: sample,
		check:  func(t testing.TB, in []byte) { wiretest.Check(t, in, decode, encode) },
		accept: func(in []byte) error { _, err := decode(in); return err },
	}
}

// must drops the error of a writer whose input was read before.
func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func exposed[T interface{ Encode() secret.Bytes }](v T) []byte { return v.Encode().Expose() }

func parseResyncBody(b []byte) (RequestBody, error) { return parseRequestBody(KindResync, b) }

func parseIntroductionBody(b []byte) (RequestBody, error) {
	return parseRequestBody(KindIntroduction, b)
}

func parsePolicy(b []byte) (Policy, error) {
	r := wire.NewReader(b)
	p := readPolicy(r)
	return p, r.Done()
}

func encodePolicy(p Policy) []byte {
	w := wire.NewWriter(32)
	p.write(w)
	return w.Bytes()
}

func parseOrigin(b []byte) (Origin, error) {
	r := wire.NewReader(b)
	o := ReadOrigin(r)
	return o, r.Done()
}

func encodeOrigin(o Origin) []byte {
	w := wire.NewWriter(128)
	o.Write(w)
	return w.Bytes()
}

func decodeTree(b []byte) (pprf.CommitTree, error) {
	return pprf.DecodeCommitTree(b, piecesDepth)
}

func decodeRoster(b []byte) (Roster, error) { return parseRoster(b, piecesDepth) }

// parsedCommit is a commit of which points, scalar and index were checked.
func parsedCommit(b []byte) (Commit, error) {
	c, err := parseCommit(b)
	if err != nil {
		return c, err
	}
	_, _, _, _, err = c.parse(piecesDepth)
	return c, err
}

func encodeRefusal(a TicketAnswer) []byte {
	w := wire.NewWriter(128)
	w.U8(0)
	w.Vec16(a.Refusal)
	return w.Bytes()
}

func decodeRefusal(b []byte) (TicketAnswer, error) { return parseRefusal(secret.New(b)) }

// codecs lists every wire format of this package that has a decoder.
var codecs = []codec{
	newCodec("policy", parsePolicy, encodePolicy, func(_ testing.TB, w pieces) []byte { return encodePolicy(w.policy) }),
	newCodec("origin", parseOrigin, encodeOrigin, func(_ testing.TB, w pieces) []byte { return encodeOrigin(w.origin) }),
	newCodec("public-key", suite.ParsePublicKey, suite.PublicKey.Bytes, func(_ testing.TB, w pieces) []byte { return w.root.Public.Bytes() }),
	newCodec("box-key", suite.ParseKEMKey, suite.KEMKey.Bytes, func(_ testing.TB, w pieces) []byte { return w.template.Config.Public.Bytes() }),
	newCodec("owner-list", ParseOwnerList, OwnerList.Encode, func(_ testing.TB, w pieces) []byte { return w.owners.Encode() }),
	newCodec("template", ParseTemplate, exposed[Template], func(_ testing.TB, w pieces) []byte { return exposed(w.template) }),
	newCodec("roster", decodeRoster, Roster.Encode, func(_ testing.TB, w pieces) []byte {
		return w.roster.With(w.members[2].in.Entry()).With(w.members[1].in.Entry()).Encode()
	}),
	newCodec("common", ParseRootContext, RootContext.Encode, func(_ testing.TB, w pieces) []byte { return w.common.Encode() }),
	newCodec("notice", ParseRootNotice, RootNotice.Encode, func(_ testing.TB, w pieces) []byte { return w.notice.Encode() }),
	newCodec("commit", parsedCommit, func(c Commit) []byte { return c[:] }, func(t testing.TB, w pieces) []byte {
		c, _ := w.commit(t, 1)
		return c[:]
	}),
	newCodec("commit-tree", decodeTree, pprf.CommitTree.Encode, func(t testing.TB, w pieces) []byte {
		return w.ticketBody(t).Epochs[1].Tree.Encode()
	}),
	newCodec("envelope", ParseEnvelope, Envelope.Bytes, func(t testing.TB, w pieces) []byte {
		e, _, _ := w.envelope(t, "hello")
		return e.Bytes()
	}),
	newCodec("content", parseContent, func(c Content) []byte { return must(c.Encode()) }, func(t testing.TB, w pieces) []byte {
		_, c, _ := w.envelope(t, "hello")
		return must(c.Encode())
	}),
	newCodec("admission", ParseAdmission, exposed[Admission], func(_ testing.TB, w pieces) []byte {
		return exposed(w.members[1].grant.Admission)
	}),
	newCodec("grant", ParseGrant, Grant.Bytes, func(_ testing.TB, w pieces) []byte { return w.members[1].grant.Bytes() }),
	newCodec("introduction", ParseIntroduction, Introduction.Encode, func(_ testing.TB, w pieces) []byte {
		return w.members[1].in.Encode()
	}),
	newCodec("request", ParseRequest, Request.Bytes, func(t testing.TB, w pieces) []byte {
		q, _ := w.request(t, 1)
		return q.Bytes()
	}),
	newCodec("request-introduction", parseIntroductionBody, RequestBody.Encode, func(t testing.TB, w pieces) []byte {
		q, _ := w.request(t, 1)
		b, err := q.Open(w.space, w.template.Config)
		require.NoError(t, err)
		return b.Encode()
	}),
	newCodec("request-resync", parseResyncBody, RequestBody.Encode, func(t testing.TB, w pieces) []byte {
		return w.resync(t).Encode()
	}),
	newCodec("ticket", ParseTicket, Ticket.Bytes, func(t testing.TB, w pieces) []byte {
		tk, _ := w.ticket(t)
		return tk.Bytes()
	}),
	newCodec("ticket-body", ParseTicketBody, TicketBody.Encode, func(t testing.TB, w pieces) []byte {
		tk, _ := w.ticket(t)
		a, err := tk.Open(w.space, w.members[1].ticket, 2)
		require.NoError(t, err)
		return a.Body.Encode()
	}),
	newCodec("ticket-refusal", decodeRefusal, encodeRefusal, func(t testing.TB, w pieces) []byte {
		_, request := w.request(t, 1)
		tk, err := NewRefusal(w.space, request, w.members[1].ticket.Public, w.root)
		require.NoError(t, err)
		a, err := tk.Open(w.space, w.members[1].ticket, 2)
		require.NoError(t, err)
		return encodeRefusal(a)
	}),
	newCodec("control-leave", ParseStatement, Statement.Encode, func(_ testing.TB, w pieces) []byte {
		return SignLeave(w.space, LeaveStatement{2, 0, 1_700_000_000_000}, w.members[1].signing).Encode()
	}),
	newCodec("control-revoke", ParseStatement, Statement.Encode, func(_ testing.TB, w pieces) []byte {
		return SignRevoke(w.space, RevokeStatement{w.id, []dkg.Index{9, 5}}, w.root).Encode()
	}),
	newCodec("control-roster", ParseStatement, Statement.Encode, func(_ testing.TB, w pieces) []byte {
		return SignRoster(w.space, RosterStatement{w.id, w.roster.Bitmap(), w.roster.Digest()}, w.root).Encode()
	}),
	newCodec("key-update", ParseKeyUpdate, KeyUpdate.Encode, func(_ testing.TB, w pieces) []byte {
		return NewKeyUpdate(w.space, w.id, w.members[1].share, 1, w.members[1].inbox.Public).Encode()
	}),
}

// resync returns a resync request of member 2, opened.
func (w pieces) resync(t testing.TB) RequestBody {
	t.Helper()
	m := w.members[1]
	q, err := NewResyncRequest(w.space, w.template.Config.Public, m.ticket.Public,
		Resync{Index: 2, Root: w.id, Preferred: w.id, Counter: 1, Time: 1_700_000_000_000}, nil, m.signing)
	require.NoError(t, err)
	b, err := q.Open(w.space, w.template.Config)
	require.NoError(t, err)
	return b
}

// ticket returns the founder's answer to a request of member 2, and the request's hash.
func (w pieces) ticket(t testing.TB) (Ticket, suite.Digest) {
	t.Helper()
	_, request := w.request(t, 1)
	tk, err := NewTicket(w.space, request, w.members[1].ticket.Public, 2, w.ticketBody(t), w.members[0].signing)
	require.NoError(t, err)
	return tk, request
}

// golden compares got with a golden file, or writes it. The files are hexadecimal digits, 32 bytes a line.
func golden(t testing.TB, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".hex")
	if *update {
		var b strings.Builder
		for rest := got; len(rest) > 0; {
			n := min(len(rest), 32)
			b.WriteString(hex.EncodeToString(rest[:n]) + "\n")
			rest = rest[n:]
		}
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o644))
	}
	require.Equal(t, hex.EncodeToString(readGolden(t, name)), hex.EncodeToString(got))
}

func readGolden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
	require.NoError(t, err)
	b, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	require.NoError(t, err)
	return b
}

// policies are the policies that formats are tried under.
var policies = map[string]Policy{
	"":       {},
	"-ed448": {Scheme: suite.Ed448, KEM: suite.X25519, Repudiable: true},
}

// TestGolden pins every wire format (G28): what is written today has these bytes, and these bytes are read and written
// again unchanged.
func TestGolden(t *testing.T) {
	for suffix, p := range policies {
		for _, c := range codecs {
			t.Run(c.name+suffix, func(t *testing.T) {
				cryptotest.SetGlobalRandom(t, 1)
				golden(t, c.name+suffix, c.sample(t, newPieces(t, p)))
				pinned := readGolden(t, c.name+suffix)
				require.NoError(t, c.accept(pinned))
				c.check(t, pinned)
			})
		}
	}
}

// TestGoldenDerivations pins what is computed and never sent: hashes, keys, ids.
func TestGoldenDerivations(t *testing.T) {
	key := secret.New([]byte("0123456789abcdef0123456789abcdef"))
	id := EpochID{1, 2, 3}
	next, message := suite.StepChain(key)
	tree := pprf.NewCommitTree(key, piecesDepth)
	seed, _, err := tree.Eval(5, id)
	require.NoError(t, err)
	var out []byte
	x := suite.HashTo32(suite.ChallengeDLEQ, []byte("a"), nil, []byte("bc"))
	d := suite.Hash([]byte("a"), []byte("bc"))
	confirm := RekeyConfirm(key, state.ID(id), 7)
	child := Commit{}.Child(state.ID(id), id, 1)
	for _, b := range [][]byte{
		suite.Expand(key, suite.ExpandHeaderKey, id[:], suite.KeySize).Expose(),
		suite.Extract(key, message).Expose(),
		next.Expose(), message.Expose(), seed.Expose(), x[:], d[:],
		suite.HashToScalar(suite.ScalarCommitNonce, []byte("a"), nil, []byte("bc")).Bytes(),
		confirm[:], child[:],
	} {
		out = append(out, b...)
	}
	golden(t, "derivations", out)
}

// TestTruncatedAndExtended: no decoder accepts an encoding that lacks its end or goes on after it (G25).
func TestTruncatedAndExtended(t *testing.T) {
	for _, c := range codecs {
		t.Run(c.name, func(t *testing.T) {
			pinned := readGolden(t, c.name)
			extended := c.accept(append(pinned[:len(pinned):len(pinned)], 0))
			if c.name != "content" { // whose plaintext ends where it ends
				typed(t, extended)
			}
			for _, n := range []int{0, 1, len(pinned) / 2, len(pinned) - 1} {
				if c.name == "content" && n == len(pinned)-1 {
					continue
				}
				typed(t, c.accept(pinned[:n]))
			}
		})
	}
}

// typed requires an error of one of the classes that decoders have.
func typed(t testing.TB, err error) {
	t.Helper()
	require.Error(t, err)
	for _, class := range []error{wire.ErrMalformed, wire.ErrTooOld, wire.ErrTooNew, suite.ErrInvalid, suite.ErrNotOpened, outcome.ErrMalformed,
		dkg.ErrIndex, dkg.ErrShare, dkg.ErrCommitment, ed448.ErrPoint, ed448.ErrScalar} {
		if errors.Is(err, class) {
			return
		}
	}
	require.Fail(t, "error of no class", "%v", err)
}

// TestVersions: another version of the protocol is told apart from garbage (G28).
func TestVersions(t *testing.T) {
	for _, name := range []string{"envelope", "request", "ticket"} {
		b := readGolden(t, name)
		for _, c := range []struct {
			version byte
			want    error
		}{{0x10, wire.ErrTooOld}, {0x30, wire.ErrTooNew}} {
			b[0] = c.version | b[0]&0xf
			for _, codec := range codecs {
				if codec.name == name {
					require.ErrorIs(t, codec.accept(b), c.want, name)
				}
			}
		}
	}
	g := readGolden(t, "grant")
	g[0] = grantVersion + 1
	_, err := ParseGrant(g)
	require.ErrorIs(t, err, wire.ErrTooNew)
}
