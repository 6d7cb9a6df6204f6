package proto

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// TestSizes: the sizes that the specification names, and limits that hold what honest members write.
func TestSizes(t *testing.T) {
	p := newPieces(t, suite.Ed25519Hybrid)
	listed, _, _ := p.commit(t, p.founder)
	shown, _, _ := p.commit(t, p.joiners[0])
	key := suite.NewAEAD(p.keys.Commit)
	inner := Inner{Time: piecesTime, Plaintext: make([]byte, 1<<10)}
	bare, _, _ := p.seal(t, Envelope{}, inner)
	for _, c := range []struct {
		what string
		want int
		got  int
	}{
		{"core", 206, len(listed.Commit.Core.Encode())},
		{"commit", 304, len(listed.Commit.Encode())},
		{"sealed commit", 334, len(listed.Seal(key, p.space, p.id))},
		{"sealed commit with certificate and binding", 717, len(shown.Seal(key, p.space, p.id))},
		{"certificate", 147, len(p.joiners[0].record.Certificate.Encode())},
		{"binding", 236, len(p.joiners[0].binding.Encode())},
		{"sealed header", 52, len(bare.Header)},
		{"envelope over its plaintext", 162, len(bare.Frame()) - 1<<10},
		{"entry of a roster", 70, len(p.roster.Encode())},
		{"common", 319, len(p.notice.Common.Encode())},
		{"shown request", 111, len(encode(0, p.resync(t).Shown().write))},
		{"link", 82, p.link(p.joiners[0]).Encode().Len()},
		{"link of a run", 85, p.link(p.joiners[2]).Encode().Len()},
		{"shortest sealed commit", minSealed, len(listed.Seal(key, p.space, p.id))},
		{"head of a part of 255", 8184, headOf(TypeTicket, MaxParts)},
	} {
		require.Equal(t, c.want, c.got, c.what)
	}
}

// TestLongestHonest: what an honest member of the suite with the longest keys writes is within every limit.
func TestLongestHonest(t *testing.T) {
	p := newPieces(t, suite.Ed448Hybrid)
	m := p.joiners[2]
	shown, _, _ := p.commit(t, m)
	require.Len(t, shown.Seal(suite.NewAEAD(p.keys.Commit), p.space, p.id), 992)
	m.rest.App = make([]byte, MaxApplicationData)
	m.rest.Capabilities.Features = make([]uint16, MaxCapabilities)
	for k := range m.rest.Capabilities.Features {
		m.rest.Capabilities.Features[k] = uint16(k)
	}
	m.binding = NewBinding(p.space, 21, m.rest.Hash(), m.keys.Admission, m.signing)
	for what, c := range map[string]struct{ limit, got int }{
		"certificate":  {MaxCertificate, len(m.record.Certificate.Encode())},
		"binding":      {MaxBinding, len(m.binding.Encode())},
		"rest":         {MaxRest, len(m.rest.Encode())},
		"introduction": {MaxIntroduction, len(m.introduction().Encode())},
		"record":       {maxRecord, m.record.Encode().Len()},
	} {
		require.LessOrEqual(t, c.got, c.limit, what)
	}
	asked := Asked{Kind: Join, Ticket: m.ticket.Public, Counter: 1, Index: 21, Binding: m.binding, Rest: m.rest, Inbox: m.inbox.Public}.Sign(m.signing, p.space)
	q := asked.Seal(p.space, suite.NewAEAD(m.keys.RequestKey), m.keys.Tag)
	back, err := ParseRequest(q.Frame())
	require.NoError(t, err)
	require.LessOrEqual(t, len(q.Frame()), MaxRequest)
	opened, err := back.Open(p.space, suite.NewAEAD(m.keys.RequestKey))
	require.NoError(t, err)
	require.NoError(t, opened.VerifyJoin(p.space, p.suite, m.record.Certificate))

	// The longest statements fit a message of the smallest frame, and the dead refusal a frame.
	revoke := Revoke{Said: Said{Root: p.id}}
	for i := range dkg.Index(MaxRevoked) {
		revoke.Indices = append(revoke.Indices, i+1)
	}
	made := InviteMade{Record: m.record}
	for i := range dkg.Index(MaxMaskBoxes) {
		box, err := m.inbox.Public.Seal(suite.HPKEMask, p.space, uint32(i+1), m.keys.M.Expose())
		require.NoError(t, err)
		made.Boxes = append(made.Boxes, MaskBox{i + 1, box})
	}
	for _, s := range []Statement{Sign(revoke, p.space, p.rootKey), made} {
		b := EncodeStatement(s)
		back, err := ParseStatement(b)
		require.NoError(t, err)
		require.Equal(t, b, EncodeStatement(back))
		e, _, _ := p.seal(t, Envelope{}, Inner{Time: 1, Statement: true, Plaintext: b, Introduction: m.introduction()})
		require.LessOrEqual(t, len(e.Frame()), SmallestMaxFrame)
	}
}
