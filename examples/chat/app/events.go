package app

import (
	"context"
	"encoding/json"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
)

// body is what this program writes into a message.
type body struct {
	Text string  `json:"text,omitempty"`
	File *sealed `json:"file,omitempty"`
}

func (b body) encode() []byte {
	raw, err := json.Marshal(b)
	if err != nil {
		panic(err) // strings and bytes always are JSON
	}
	return raw
}

// told shows an event. It is told of it at least once: a line may come twice when the program dies meanwhile.
func (a *App) told(ctx context.Context, e event.Event) error {
	switch e := e.(type) { // those of no chat
	case event.LinkDigits:
		a.show("digits %s: /confirm those that the other device shows", e.Digits)
		return nil
	case event.Linked:
		a.show("linked")
		return nil
	case event.LinkEnded:
		a.show("not linked: %v", e.Reason)
		return nil
	}
	chat := a.chatOf(ctx, e.About().Chat)
	switch e := e.(type) {
	case event.Message:
		a.message(ctx, chat, e)
	case event.Joined:
		a.show("[%s] you are in", a.nameOf(ctx, chat))
	case event.Arrived:
		a.show("[%s] %s arrived", a.nameOf(ctx, chat), a.member(ctx, e.Chat, e.Index))
	case event.Left:
		a.show("[%s] member %d left", a.nameOf(ctx, chat), e.Index)
	case event.Removed:
		a.show("[%s] you are no member any more", a.nameOf(ctx, chat))
	case event.TitleChanged:
		a.show("[%s] is what the space is called", a.nameOf(ctx, chat))
	case event.Rekeyed:
		a.show("[%s] new keys, for %d members", a.nameOf(ctx, chat), e.Members)
	default: // docs/EVENTS.md says what an app for people would show
		a.show("[%s] %v", a.nameOf(ctx, chat), e)
	}
	return nil
}

// chatOf returns the chat of an event: a space, or the conversation with the person whose address is its ID.
func (a *App) chatOf(ctx context.Context, id state.ID) place {
	s := a.client.Space(id)
	if _, err := s.Status(ctx); err == nil {
		return s
	}
	return a.client.Direct(key.Address(id))
}

func (a *App) message(ctx context.Context, chat place, m event.Message) {
	from := "you"
	if !m.Own && m.Person.IsZero() {
		from = a.member(ctx, m.Chat, m.Index)
	} else if !m.Own {
		from = short(m.Person)
	}
	var b body
	if err := json.Unmarshal(m.Body, &b); err != nil {
		a.show("[%s] %s: a message that this program does not understand", a.nameOf(ctx, chat), from)
		return
	}
	text := b.Text
	if b.File != nil {
		text = a.received(*b.File)
	}
	a.show("[%s] %s: %s", a.nameOf(ctx, chat), from, text)
}

// member returns what a member calls itself.
func (a *App) member(ctx context.Context, space state.ID, index dkg.Index) string {
	all, err := a.client.Space(space).Members(ctx)
	if err != nil {
		return "somebody"
	}
	for _, m := range all {
		if m.Index == index && len(m.Profile) > 0 {
			return string(m.Profile)
		}
	}
	return "somebody"
}
