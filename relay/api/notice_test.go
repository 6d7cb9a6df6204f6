package api

import (
	"testing"

	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
)

func FuzzNotice(f *testing.F) {
	encode := func(n Notice) []byte {
		b, _ := n.MarshalBinary()
		return b
	}
	wiretest.Fuzz(f, ParseNotice, encode, encode(Notice{ConversationID{1}, 2, RequestID{3}}))
}
