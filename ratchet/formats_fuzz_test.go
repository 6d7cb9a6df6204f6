package ratchet

import (
	"testing"

	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
)

// seeds returns the golden encodings of a format under every policy.
func seeds(f *testing.F, name string) (out [][]byte) {
	for suffix := range policies {
		out = append(out, readGolden(f, name+suffix))
	}
	return out
}

func FuzzPolicy(f *testing.F) { wiretest.Fuzz(f, parsePolicy, encodePolicy, seeds(f, "policy")...) }
func FuzzOrigin(f *testing.F) { wiretest.Fuzz(f, parseOrigin, encodeOrigin, seeds(f, "origin")...) }
func FuzzPublicKey(f *testing.F) {
	wiretest.Fuzz(f, parsePublicKey, PublicKey.Bytes, seeds(f, "public-key")...)
}
func FuzzBoxKey(f *testing.F) { wiretest.Fuzz(f, parseBoxKey, boxKey.bytes, seeds(f, "box-key")...) }
func FuzzOwnerList(f *testing.F) {
	wiretest.Fuzz(f, parseOwnerList, ownerList.encode, seeds(f, "owner-list")...)
}
func FuzzTemplate(f *testing.F) {
	wiretest.Fuzz(f, parseTemplate, exposed[template], seeds(f, "template")...)
}
func FuzzRoster(f *testing.F) { wiretest.Fuzz(f, decodeRoster, roster.encode, seeds(f, "roster")...) }
func FuzzCommon(f *testing.F) { wiretest.Fuzz(f, parseCommon, common.encode, seeds(f, "common")...) }
func FuzzNotice(f *testing.F) { wiretest.Fuzz(f, parseNotice, notice.encode, seeds(f, "notice")...) }
func FuzzCommit(f *testing.F) {
	wiretest.Fuzz(f, parsedCommit, func(c commit) []byte { return c[:] }, seeds(f, "commit")...)
}
func FuzzCommitTree(f *testing.F) {
	wiretest.Fuzz(f, decodeTree, commitTree.encode, seeds(f, "commit-tree")...)
}
func FuzzEnvelope(f *testing.F) {
	wiretest.Fuzz(f, ParseEnvelope, Envelope.Bytes, seeds(f, "envelope")...)
}
func FuzzContent(f *testing.F) {
	wiretest.Fuzz(f, parseContent, func(c content) []byte { return must(c.encode()) }, seeds(f, "content")...)
}
func FuzzAdmission(f *testing.F) {
	wiretest.Fuzz(f, parseAdmission, exposed[admission], seeds(f, "admission")...)
}
func FuzzGrant(f *testing.F) { wiretest.Fuzz(f, ParseGrant, Grant.Bytes, seeds(f, "grant")...) }
func FuzzIntroduction(f *testing.F) {
	wiretest.Fuzz(f, parseIntroduction, introduction.encode, seeds(f, "introduction")...)
}
func FuzzRequest(f *testing.F) { wiretest.Fuzz(f, ParseRequest, Request.Bytes, seeds(f, "request")...) }
func FuzzRequestIntroduction(f *testing.F) {
	wiretest.Fuzz(f, parseIntroductionBody, requestBody.encode, seeds(f, "request-introduction")...)
}
func FuzzRequestResync(f *testing.F) {
	wiretest.Fuzz(f, parseResyncBody, requestBody.encode, seeds(f, "request-resync")...)
}
func FuzzTicket(f *testing.F) { wiretest.Fuzz(f, ParseTicket, Ticket.Bytes, seeds(f, "ticket")...) }
func FuzzTicketBody(f *testing.F) {
	wiretest.Fuzz(f, parseTicketBody, ticketBody.encode, seeds(f, "ticket-body")...)
}
func FuzzTicketRefusal(f *testing.F) {
	wiretest.Fuzz(f, decodeRefusal, encodeRefusal, seeds(f, "ticket-refusal")...)
}
func FuzzControl(f *testing.F) {
	wiretest.Fuzz(f, parseControl, control.encode,
		append(append(seeds(f, "control-leave"), seeds(f, "control-revoke")...), seeds(f, "control-roster")...)...)
}
func FuzzKeyUpdate(f *testing.F) {
	wiretest.Fuzz(f, parseKeyUpdate, keyUpdate.encode, seeds(f, "key-update")...)
}
