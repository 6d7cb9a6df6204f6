package ratchet

import (
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// announcements returns what message h in epoch e says.
func (me identity) announcements(e epoch, h proto.Header, out outgoing, now int64) proto.Content {
	c := proto.Content{Plaintext: out.plaintext, Statement: out.statement}
	if len(me.introduction) > 0 && (e.id == me.introduceIn || h.Number == 0 && now < me.introduce) {
		c.Introduction = me.introduction
	}
	if len(me.update) > 0 && e.id == me.updateIn && h.Number < updateSends {
		c.KeyUpdate = me.update
	}
	if e.id == me.answeredIn && h.Number < updateSends {
		c.Answers, c.Answered = true, me.answered
	}
	return c
}
