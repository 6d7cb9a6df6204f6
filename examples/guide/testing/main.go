// Testing is chapter 5 of the guide: a bot that answers, and tests of it in a world that fails.
package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
)

// bot answers what begins with an exclamation mark. Client is set once the client is open.
type bot struct{ client *trefoil.Client }

// handle is the Handle of the bot's client. If the program dies after the answer was written and before handle has returned, the message is
// handed over again: so an answer says to which message it is, and is not written twice.
func (b *bot) handle(ctx context.Context, e event.Event) error {
	m, ok := e.(event.Message)
	if !ok || m.Own || !strings.HasPrefix(string(m.Body), "!") {
		return nil
	}
	_, err := b.client.Space(m.Chat).Send(ctx, []byte(answer(m)))
	return err
}

func answer(m event.Message) string { return fmt.Sprintf("%.8v: %s yourself", m.ID, m.Body[1:]) }

func main() { fmt.Println("the tests are the program: go test ./examples/guide/testing") }
