// Package app is what the chat program does, whatever it runs on: a terminal (examples/chat) and a web page (examples/web) give it a
// store, and lines to do; it shows lines. The whole of it stands on packages trefoil and relay/client.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/relay/client"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// Options are what differs between programs.
type Options struct {
	URL  string // of the server
	Name string // by which others see this device in the spaces that it makes or joins

	Show    func(string)     // shows a line; called by several goroutines
	ShowURL func(url string) // shows a link besides, as a QR code; nil for nothing
	Files   Files            // nil for a program that has none
	Further bool             // this device is to be linked to a person that has another one, and makes none
	Log     *slog.Logger     // nil for nothing
}

// App is one device with its chats.
type App struct {
	o      Options
	client *trefoil.Client
	line   *client.Client

	mu    sync.Mutex
	place place    // where lines go that are no commands
	came  []sealed // files, in the order in which they came
}

// Open opens the device that lies in a store. On an empty store it makes a person, whose first device this is.
func Open(ctx context.Context, s store.Store, k state.Key, o Options) (*App, error) {
	a := &App{o: o}
	var err error
	if a.line, err = client.New(client.Options{URL: o.URL, Guest: o.Further, Log: o.Log}); err != nil {
		return nil, err
	}
	// The client is the line to the server and the directory on it, and logs in with the device's own keys.
	a.client, err = trefoil.Open(ctx, s, k, a.line, trefoil.Options{
		Directory: a.line, Handle: a.told, Profile: []byte(o.Name), Log: o.Log,
	})
	if err != nil {
		return nil, err
	}
	who, err := a.client.Person(ctx)
	if errors.Is(err, trefoil.ErrNoPerson) && o.Further {
		a.show("this device is nobody's yet: /accept the code that your other device shows")
		return a, nil
	}
	if errors.Is(err, trefoil.ErrNoPerson) {
		who, err = a.client.NewPerson(ctx)
	}
	if err != nil {
		return nil, err
	}
	a.show("you are %v", who)
	return a, nil
}

// Run receives and sends until ctx ends.
func (a *App) Run(ctx context.Context) error { return a.client.Run(ctx) }

func (a *App) show(format string, args ...any) { a.o.Show(fmt.Sprintf(format, args...)) }

// place is a chat that was entered: a space or a direct conversation.
type place interface {
	ID() state.ID
	Send(context.Context, []byte) (event.ID, error)
}

func (a *App) enter(p place) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.place = p
}

var errNowhere = errors.New("enter a chat first: /space, /join, /direct or /enter")

// here returns the chat that was entered.
func (a *App) here() (place, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.place == nil {
		return nil, errNowhere
	}
	return a.place, nil
}

// space returns the space that was entered.
func (a *App) space() (trefoil.Space, error) {
	p, err := a.here()
	if err != nil {
		return trefoil.Space{}, err
	}
	if s, ok := p.(trefoil.Space); ok {
		return s, nil
	}
	return trefoil.Space{}, errors.New("this is no space")
}

// Do does what a line says: a command that begins with a slash, or else a message to the chat that was entered.
func (a *App) Do(ctx context.Context, line string) error {
	line = strings.TrimSpace(line)
	if line == "" {
		return nil
	}
	if !strings.HasPrefix(line, "/") {
		return a.send(ctx, body{Text: line})
	}
	name, rest, _ := strings.Cut(line[1:], " ")
	for _, c := range commands {
		if c.name == name {
			return c.do(a, ctx, strings.TrimSpace(rest))
		}
	}
	return fmt.Errorf("there is no /%s: /help lists what there is", name)
}

// send writes to the chat that was entered.
func (a *App) send(ctx context.Context, b body) error {
	p, err := a.here()
	if err != nil {
		return err
	}
	_, err = p.Send(ctx, b.encode())
	return err
}
