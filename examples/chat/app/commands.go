package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

type command struct {
	name, args, what string
	do               func(*App, context.Context, string) error
}

var commands []command

func init() { // since help lists them
	commands = []command{
		{"help", "", "what there is", (*App).help},
		{"chats", "", "your chats, with numbers", (*App).chats},
		{"enter", "NUMBER", "write to a chat from now on", (*App).enterNumber},
		{"direct", "ADDRESS", "write to a person from now on", (*App).direct},
		{"space", "TITLE", "found a space", (*App).found},
		{"invite", "", "a link for one person, who joins by it", (*App).invite},
		{"join", "LINK", "join a space", (*App).join},
		{"members", "", "who is in the space", (*App).members},
		{"remove", "NUMBER", "remove a member: it reads nothing that is sent from then on", (*App).remove},
		{"leave", "", "leave the space", (*App).leave},
		{"link", "", "show a code for a further device of yours", (*App).link},
		{"accept", "CODE", "become a further device of the person whose device shows the code", (*App).accept},
		{"confirm", "DIGITS", "say what the other device shows, on each of both", (*App).confirm},
		{"file", "PATH", "send a file", (*App).file},
		{"get", "NUMBER", "save a file that came", (*App).get},
	}
}

func (a *App) help(context.Context, string) error {
	for _, c := range commands {
		a.show("%-18s %s", "/"+c.name+" "+c.args, c.what)
	}
	a.show("%-18s %s", "anything else", "is sent to the chat that you entered")
	return nil
}

// all returns the chats in an order that stays.
func (a *App) all(ctx context.Context) (out []place, err error) {
	for s, err := range a.client.Spaces(ctx) {
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	for d, err := range a.client.Directs(ctx) {
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

func (a *App) chats(ctx context.Context, _ string) error {
	all, err := a.all(ctx)
	for i, p := range all {
		a.show("%d: %s", i+1, a.nameOf(ctx, p))
	}
	return err
}

// nameOf returns what a chat is called.
func (a *App) nameOf(ctx context.Context, p place) string {
	if d, ok := p.(trefoil.Direct); ok {
		return "direct " + short(d.With())
	}
	s := p.(trefoil.Space)
	status, err := s.Status(ctx)
	if err != nil || len(status.Title) == 0 {
		return fmt.Sprintf("space %.8s", s.ID())
	}
	return "space " + string(status.Title)
}

// short returns the beginning of an address, for lines that are read and not compared.
func short(a key.Address) string { return a.String()[:8] }

func (a *App) enterNumber(ctx context.Context, number string) error {
	all, err := a.all(ctx)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(all) {
		return errors.New("there is no such chat: /chats lists them")
	}
	a.enter(all[n-1])
	return nil
}

func (a *App) direct(_ context.Context, address string) error {
	with, err := key.ParseAddress(address)
	if err == nil {
		a.enter(a.client.Direct(with))
	}
	return err
}

func (a *App) found(ctx context.Context, title string) error {
	s, err := a.client.NewSpace(ctx)
	if err != nil {
		return err
	}
	if err := s.SetTitle(ctx, title); err != nil {
		return err
	}
	a.enter(s)
	a.show("you founded space %s", title)
	return nil
}

func (a *App) invite(ctx context.Context, _ string) error {
	s, err := a.space()
	if err != nil {
		return err
	}
	made, err := s.Invite(ctx, invite.Private(0))
	if err != nil {
		return err
	}
	// What lets somebody in stands behind the #, which no browser sends to the server.
	url, err := made.Link.URL(strings.TrimRight(a.o.URL, "/") + "/")
	if err != nil {
		return err
	}
	a.show("link %s", url)
	if a.o.ShowURL != nil {
		a.o.ShowURL(url)
	}
	return nil
}

func (a *App) join(ctx context.Context, link string) error {
	s, err := a.client.Join(ctx, link)
	if err != nil {
		return err
	}
	a.enter(s)
	a.show("you asked to be let in")
	return nil
}

func (a *App) members(ctx context.Context, _ string) error {
	s, err := a.space()
	if err != nil {
		return err
	}
	all, err := s.Members(ctx)
	for _, m := range all {
		a.show("member %d: %s", m.Index, m.Profile)
	}
	return err
}

func (a *App) remove(ctx context.Context, number string) error {
	s, err := a.space()
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return errors.New("a member has a number: /members lists them")
	}
	return s.Remove(ctx, dkg.Index(n))
}

func (a *App) leave(ctx context.Context, _ string) error {
	s, err := a.space()
	if err != nil {
		return err
	}
	return s.Leave(ctx)
}

func (a *App) link(ctx context.Context, _ string) error {
	code, err := a.client.LinkDevice(ctx)
	if err != nil {
		return err
	}
	a.show("code %s", code)
	if a.o.ShowURL != nil {
		a.o.ShowURL(code)
	}
	return nil
}

func (a *App) accept(ctx context.Context, code string) error { return a.client.AcceptDevice(ctx, code) }

func (a *App) confirm(ctx context.Context, digits string) error {
	return a.client.ConfirmDevice(ctx, digits)
}
