package proto

import (
	"testing"

	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// seeds returns the golden encodings of a format under every policy.
func seeds(f *testing.F, name string) (out [][]byte) {
	for suffix := range policies {
		out = append(out, readGolden(f, name+suffix))
	}
	return out
}

func FuzzPolicy(f *testing.F) {
	wiretest.Fuzz(f, parsePolicy, encodePolicy, seeds(f, "policy")...)
}

func FuzzOrigin(f *testing.F) {
	wiretest.Fuzz(f, parseOrigin, encodeOrigin, seeds(f, "origin")...)
}

func FuzzPublicKey(f *testing.F) {
	wiretest.Fuzz(f, suite.ParsePublicKey, suite.PublicKey.Bytes, seeds(f, "public-key")...)
}

func FuzzBoxKey(f *testing.F) {
	wiretest.Fuzz(f, suite.ParseKEMKey, suite.KEMKey.Bytes, seeds(f, "box-key")...)
}

func FuzzOwnerList(f *testing.F) {
	wiretest.Fuzz(f, ParseOwnerList, OwnerList.Encode, seeds(f, "owner-list")...)
}

func FuzzTemplate(f *testing.F) {
	wiretest.Fuzz(f, ParseTemplate, exposed[Template], seeds(f, "template")...)
}

func FuzzRoster(f *testing.F) {
	wiretest.Fuzz(f, decodeRoster, Roster.Encode, seeds(f, "roster")...)
}

func FuzzCommon(f *testing.F) {
	wiretest.Fuzz(f, ParseRootContext, RootContext.Encode, seeds(f, "common")...)
}

func FuzzNotice(f *testing.F) {
	wiretest.Fuzz(f, ParseRootNotice, RootNotice.Encode, seeds(f, "notice")...)
}

func FuzzCommit(f *testing.F) {
	wiretest.Fuzz(f, parsedCommit, func(c Commit) []byte { return c[:] }, seeds(f, "commit")...)
}

func FuzzCommitTree(f *testing.F) {
	wiretest.Fuzz(f, decodeTree, pprf.CommitTree.Encode, seeds(f, "commit-tree")...)
}

func FuzzEnvelope(f *testing.F) {
	wiretest.Fuzz(f, ParseEnvelope, Envelope.Bytes, seeds(f, "envelope")...)
}

func FuzzContent(f *testing.F) {
	wiretest.Fuzz(f, parseContent, func(c Content) []byte { return must(c.Encode()) }, seeds(f, "content")...)
}

func FuzzAdmission(f *testing.F) {
	wiretest.Fuzz(f, ParseAdmission, exposed[Admission], seeds(f, "admission")...)
}

func FuzzGrant(f *testing.F) { wiretest.Fuzz(f, ParseGrant, Grant.Bytes, seeds(f, "grant")...) }

func FuzzIntroduction(f *testing.F) {
	wiretest.Fuzz(f, ParseIntroduction, Introduction.Encode, seeds(f, "introduction")...)
}

func FuzzRequest(f *testing.F) {
	wiretest.Fuzz(f, ParseRequest, Request.Bytes, seeds(f, "request")...)
}

func FuzzRequestIntroduction(f *testing.F) {
	wiretest.Fuzz(f, parseIntroductionBody, RequestBody.Encode, seeds(f, "request-introduction")...)
}

func FuzzRequestResync(f *testing.F) {
	wiretest.Fuzz(f, parseResyncBody, RequestBody.Encode, seeds(f, "request-resync")...)
}

func FuzzTicket(f *testing.F) {
	wiretest.Fuzz(f, ParseTicket, Ticket.Bytes, seeds(f, "ticket")...)
}

func FuzzTicketBody(f *testing.F) {
	wiretest.Fuzz(f, ParseTicketBody, TicketBody.Encode, seeds(f, "ticket-body")...)
}

func FuzzTicketRefusal(f *testing.F) {
	wiretest.Fuzz(f, decodeRefusal, encodeRefusal, seeds(f, "ticket-refusal")...)
}

func FuzzControl(f *testing.F) {
	wiretest.Fuzz(f, ParseStatement, Statement.Encode,
		append(append(seeds(f, "control-leave"), seeds(f, "control-revoke")...), seeds(f, "control-roster")...)...)
}

func FuzzKeyUpdate(f *testing.F) {
	wiretest.Fuzz(f, ParseKeyUpdate, KeyUpdate.Encode, seeds(f, "key-update")...)
}
