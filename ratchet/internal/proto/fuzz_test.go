package proto

import "testing"

// fuzz runs the fuzz target of the format that the given codecs are samples of, from their golden encodings.
func fuzz(f *testing.F, names ...string) {
	var seeds [][]byte
	for suffix := range goldenSuites {
		for _, name := range names {
			seeds = append(seeds, readGolden(f, name+suffix))
		}
	}
	for _, c := range codecs() {
		if c.name == names[0] {
			c.fuzz(f, seeds...)
		}
	}
}

func FuzzPolicy(f *testing.F) {
	fuzz(f, "policy")
}

func FuzzOrigin(f *testing.F) {
	fuzz(f, "origin")
}

func FuzzOwnerList(f *testing.F) {
	fuzz(f, "owner-list")
}

func FuzzTemplate(f *testing.F) {
	fuzz(f, "template")
}

func FuzzRoster(f *testing.F) {
	fuzz(f, "roster")
}

func FuzzCommon(f *testing.F) {
	fuzz(f, "common")
}

func FuzzNotice(f *testing.F) {
	fuzz(f, "notice")
}

func FuzzCertificate(f *testing.F) {
	fuzz(f, "certificate", "certificate-run")
}

func FuzzBinding(f *testing.F) {
	fuzz(f, "binding", "binding-founder")
}

func FuzzVouch(f *testing.F) {
	fuzz(f, "vouch")
}

func FuzzRest(f *testing.F) {
	fuzz(f, "rest")
}

func FuzzIntroduction(f *testing.F) {
	fuzz(f, "introduction")
}

func FuzzUpdate(f *testing.F) {
	fuzz(f, "update")
}

func FuzzRecord(f *testing.F) {
	fuzz(f, "record", "record-run", "record-used")
}

func FuzzCommit(f *testing.F) {
	fuzz(f, "commit")
}

func FuzzShown(f *testing.F) {
	fuzz(f, "shown")
}

func FuzzEnvelope(f *testing.F) {
	fuzz(f, "envelope")
}

func FuzzContent(f *testing.F) {
	fuzz(f, "content")
}

func FuzzJoin(f *testing.F) {
	fuzz(f, "join")
}

func FuzzResync(f *testing.F) {
	fuzz(f, "resync")
}

func FuzzRequest(f *testing.F) {
	fuzz(f, "request")
}

func FuzzShownRequest(f *testing.F) {
	fuzz(f, "shown-request")
}

func FuzzRefusal(f *testing.F) {
	fuzz(f, "refusal-taken", "refusal-decided", "refusal-word", "refusal-dead", "refusal-hint")
}

func FuzzRefusalFrame(f *testing.F) {
	fuzz(f, "refusal-frame")
}

func FuzzPart(f *testing.F) {
	fuzz(f, "ticket-part", "rekey-part")
}

func FuzzTicketBody(f *testing.F) {
	fuzz(f, "ticket-body")
}

func FuzzRekeyContent(f *testing.F) {
	fuzz(f, "rekey-content")
}

func FuzzRekeyOwners(f *testing.F) {
	fuzz(f, "rekey-owners")
}

func FuzzRekey(f *testing.F) {
	fuzz(f, "rekey")
}

func FuzzLink(f *testing.F) {
	fuzz(f, "link", "link-run")
}

func FuzzStatement(f *testing.F) {
	fuzz(f, "statement-leave", "statement-revoke", "statement-bind", "statement-close", "statement-invite", "statement-profile", "statement-title", "statement-root", "statement-role", "statement-removal", "statement-named", "statement-wanted", "statement-given", "statement-current")
}
