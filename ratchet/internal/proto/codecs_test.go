package proto

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// exposed is the encoder of a value whose encoding is secret.
func exposed[T interface{ Encode() secret.Bytes }](v T) []byte { return v.Encode().Expose() }

// parser returns the decoder of a value that only stands inside of others.
func parser[T any](max int, read func(*wire.Reader) T) func([]byte) (T, error) {
	return func(b []byte) (T, error) { return parseAll(b, max, read) }
}

func parseRefusal(b []byte) (Refusal, error) { return parseAll(b, maxRefusal, readRefusal) }

func decodeRoster(b []byte) (Roster, error) { return ParseRoster(b, piecesDepth) }

func encodeRekey(k Rekey) []byte {
	b, err := k.Encode()
	if err != nil {
		panic(err)
	}
	return b
}

// codecs lists every wire format of this package that has a decoder.
func codecs() []codec {
	all := []codec{
		newCodec("policy", ParsePolicy, Policy.Encode, func(_ testing.TB, p pieces) Policy { return p.template.Policy }),
		newCodec("origin", ParseOrigin, Origin.Encode, func(_ testing.TB, p pieces) Origin { return p.origin }),
		newCodec("owner-list", ParseOwnerList, OwnerList.Encode, func(_ testing.TB, p pieces) OwnerList { return p.owners }),
		newCodec("template", ParseTemplate, exposed[Template], func(_ testing.TB, p pieces) Template { return p.template }),
		newCodec("roster", decodeRoster, Roster.Encode, func(_ testing.TB, p pieces) Roster {
			m := p.joiners[0]
			return append(p.roster, RosterEntry{2, m.signing.Public, m.binding.Hash()})
		}),
		newCodec("common", ParseCommon, Common.Encode, func(_ testing.TB, p pieces) Common { return p.notice.Common }),
		newCodec("notice", ParseNotice, Notice.Encode, func(_ testing.TB, p pieces) Notice { return p.notice }),
		newCodec("certificate", ParseCertificate, Certificate.Encode, func(_ testing.TB, p pieces) Certificate {
			return p.joiners[0].record.Certificate
		}),
		newCodec("certificate-run", ParseCertificate, Certificate.Encode, func(_ testing.TB, p pieces) Certificate {
			return p.joiners[2].record.Certificate
		}),
		newCodec("binding", ParseBinding, Binding.Encode, func(_ testing.TB, p pieces) Binding { return p.joiners[0].binding }),
		newCodec("binding-founder", ParseBinding, Binding.Encode, func(_ testing.TB, p pieces) Binding { return p.founder.binding }),
		newCodec("vouch", ParseVouch, Vouch.Encode, func(_ testing.TB, p pieces) Vouch {
			return NewVouch(p.space, p.joiners[0].signing, 7, p.joiners[0].signing.Public)
		}),
		newCodec("rest", ParseRest, Rest.Encode, func(_ testing.TB, p pieces) Rest { return p.joiners[0].rest }),
		newCodec("introduction", ParseIntroduction, Introduction.Encode, func(_ testing.TB, p pieces) Introduction {
			return p.joiners[0].introduction()
		}),
		newCodec("update", ParseUpdate, Update.Encode, func(t testing.TB, p pieces) Update { return p.resync(t).Update }),
		newCodec("record", ParseRecord, exposed[Record], func(_ testing.TB, p pieces) Record { return p.joiners[0].record }),
		newCodec("record-run", ParseRecord, exposed[Record], func(_ testing.TB, p pieces) Record { return p.joiners[2].record }),
		newCodec("record-used", ParseRecord, exposed[Record], func(_ testing.TB, p pieces) Record { return p.joiners[0].record.Used() }),
		newCodec("commit", ParseCommit, Commit.Encode, func(t testing.TB, p pieces) Commit {
			s, _, _ := p.commit(t, p.founder)
			return s.Commit
		}),
		newCodec("shown", ParseShown, Shown.Encode, func(t testing.TB, p pieces) Shown {
			s, _, _ := p.commit(t, p.joiners[0])
			return s
		}),
		newCodec("envelope", ParseEnvelope, Envelope.Frame, func(t testing.TB, p pieces) Envelope {
			e, _, _ := p.envelope(t, p.inner(t))
			return e
		}),
		newCodec("content", func(b []byte) (Content, error) { return parseContent(bytes.Clone(b)) }, func(c Content) []byte {
			return encode(0, func(w *wire.Writer) {
				w.Vec16(c.signature)
				c.Inner.write(w)
			})
		}, func(t testing.TB, p pieces) Content {
			_, _, c := p.envelope(t, p.inner(t).Pad(64, 1<<20))
			return c
		}),
		newCodec("join", parser(maxAsked, askedReader(Join)), Asked.encode, func(t testing.TB, p pieces) Asked { return p.ask(t) }),
		newCodec("resync", parser(maxAsked, askedReader(Resync)), Asked.encode, func(t testing.TB, p pieces) Asked { return p.resync(t) }),
		newCodec("request", ParseRequest, Request.Frame, func(t testing.TB, p pieces) Request {
			return p.ask(t).Seal(p.space, suite.NewAEAD(p.joiners[0].keys.RequestKey), p.joiners[0].keys.Tag)
		}),
		newCodec("shown-request", ParseShownRequest, ShownRequest.Encode, func(t testing.TB, p pieces) ShownRequest {
			return p.resync(t).Shown()
		}),
		newCodec("refusal-taken", parseRefusal, encodeRefusal, func(_ testing.TB, p pieces) Refusal {
			return Taken{Binding: p.joiners[1].binding, Free: 5}
		}),
		newCodec("refusal-decided", parseRefusal, encodeRefusal, func(t testing.TB, p pieces) Refusal {
			return Taken{Binding: p.joiners[1].binding, Bind: p.statements(t)["bind"].(Bind)}
		}),
		newCodec("refusal-word", parseRefusal, encodeRefusal, func(t testing.TB, p pieces) Refusal {
			return Taken{Bind: p.statements(t)["bind"].(Bind)}
		}),
		newCodec("refusal-dead", parseRefusal, encodeRefusal, func(t testing.TB, p pieces) Refusal {
			return Dead{p.origin, p.owners, p.statements(t)["revoke"].(Revoke)}
		}),
		newCodec("refusal-hint", parseRefusal, encodeRefusal, func(_ testing.TB, p pieces) Refusal { return Hint{HintOldCounter, 7} }),
		newCodec("refusal-frame", ParseSealedRefusal, SealedRefusal.Frame, func(t testing.TB, p pieces) SealedRefusal {
			s, err := SealRefusal(p.space, Name{1}, p.joiners[0].ticket.Public, Hint{HintClosed, 0})
			require.NoError(t, err)
			return s
		}),
		newCodec("ticket-part", ParsePart, Part.Frame, func(t testing.TB, p pieces) Part {
			parts, err := Split(TypeTicket, Name{1}, make([]byte, 100), 150)
			require.NoError(t, err)
			return parts[1]
		}),
		newCodec("rekey-part", ParsePart, Part.Frame, func(t testing.TB, p pieces) Part {
			parts, err := Split(TypeRekey, Name{1}, make([]byte, 100), 1<<10)
			require.NoError(t, err)
			return parts[0]
		}),
		newCodec("ticket-body", ParseTicketBody, exposed[TicketBody], func(t testing.TB, p pieces) TicketBody { return p.ticketBody(t) }),
		newCodec("rekey-content", ParseRekeyContent, exposed[RekeyContent], func(t testing.TB, p pieces) RekeyContent {
			c, _, _ := p.rekey(t)
			return c
		}),
		newCodec("rekey-owners", ParseRekeyOwners, exposed[RekeyOwners], func(t testing.TB, p pieces) RekeyOwners {
			_, o, _ := p.rekey(t)
			return o
		}),
		newCodec("rekey", ParseRekey, encodeRekey, func(t testing.TB, p pieces) Rekey {
			_, _, k := p.rekey(t)
			return k
		}),
		newCodec("link", ParseLink, exposed[Link], func(_ testing.TB, p pieces) Link { return p.link(p.joiners[0]) }),
		newCodec("link-run", ParseLink, exposed[Link], func(_ testing.TB, p pieces) Link { return p.link(p.joiners[2]) }),
	}
	for _, name := range statementNames {
		all = append(all, newCodec("statement-"+name, ParseStatement, EncodeStatement, func(t testing.TB, p pieces) Statement {
			return p.statements(t)[name]
		}))
	}
	return all
}

// statementNames lists the statements of pieces.
var statementNames = []string{"leave", "revoke", "bind", "close", "invite", "profile", "title", "root", "wanted", "given", "current", "role", "removal", "named", "notice"}
