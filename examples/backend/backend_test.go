//go:build unix

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/trefoil-im/trefoil/examples/chat/chattest"
	"github.com/trefoil-im/trefoil/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// Two servers on one PostgreSQL are one server: what comes to one wakes who is at the other. One may be killed, and the other one ends
// well when it is asked to.
func TestTwoServers(t *testing.T) {
	database := pgtest.Database(t)
	programs := chattest.Build(t)
	first := programs.Backend("-postgres", database)
	second := programs.Backend("-postgres", database)
	ann, bob := first.Terminal(t.TempDir(), "Ann"), second.Terminal(t.TempDir(), "Bob")
	ann.Say("/space Trip", "/invite")
	bob.Say("/join " + strings.TrimPrefix(ann.Wait("link "), "link "))
	bob.Wait("[space Trip] you are in")
	ann.Say("hello Bob")
	bob.Wait("[space Trip] Ann: hello Bob")
	bob.Say("hello Ann")
	ann.Wait("[space Trip] Bob: hello Ann")
	first.Kill()
	bob.Say("are you there?")
	bob.Wait("you: are you there?")
	first.Start()
	ann.Wait("[space Trip] Bob: are you there?")
	second.Stop()
}
