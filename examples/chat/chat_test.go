//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/examples/chat/chattest"
)

// Two terminals meet in a space and in a direct conversation over the real server. The server is killed and started again, and so is a
// terminal, while both write: nothing is lost, and nothing comes twice.
func TestTwoTerminals(t *testing.T) {
	server := chattest.Build(t).Backend()
	annHome, bobHome := t.TempDir(), t.TempDir()
	ann, bob := server.Terminal(annHome, "Ann"), server.Terminal(bobHome, "Bob")
	annAddress := strings.TrimPrefix(ann.Wait("you are "), "you are ")

	ann.Say("/space Trip", "/invite")
	link := strings.TrimPrefix(ann.Wait("link "), "link ")
	ann.Wait("█") // the code
	bob.Say("/join " + link)
	bob.Wait("[space Trip] you are in")
	ann.Say("hello Bob")
	bob.Wait("[space Trip] Ann: hello Bob")
	bob.Say("hello Ann")
	ann.Wait("[space Trip] Bob: hello Ann")

	bob.Say("/direct "+annAddress, "between us")
	ann.Wait(": between us")

	server.Kill()
	for i := range 5 {
		ann.Say(fmt.Sprintf("trip %d of Ann", i))
		bob.Say(fmt.Sprintf("direct %d of Bob", i))
	}
	bob.Wait("you: direct 4 of Bob") // it is durable
	bob.Kill()
	server.Start()
	bob = server.Terminal(bobHome, "Bob")
	for i := range 5 {
		bob.Wait(fmt.Sprintf("[space Trip] Ann: trip %d of Ann", i))
		ann.Wait(fmt.Sprintf(": direct %d of Bob", i))
	}

	secret := filepath.Join(t.TempDir(), "secret.bin")
	content := []byte(strings.Repeat("the plan ", 100_000))
	require.NoError(t, os.WriteFile(secret, content, 0o600))
	ann.Say("/file " + secret)
	bob.Wait(`[space Trip] Ann: file 1: "secret.bin", 900000 bytes`)
	bob.Say("/get 1")
	bob.Wait("saved")
	got, err := os.ReadFile(filepath.Join(bobHome, "files", "secret.bin"))
	require.NoError(t, err)
	require.Equal(t, content, got)

	ann.Say("/members")
	member := ann.Wait(": Bob")
	var number int
	_, err = fmt.Sscanf(member, "member %d: Bob", &number)
	require.NoError(t, err)
	ann.Say(fmt.Sprintf("/remove %d", number))
	bob.Wait("[space Trip] you are no member any more")
	ann.Wait("new keys, for 1 members")
	ann.Say("without Bob", "/direct "+annAddress, "a note")
	ann.Wait("you: a note")

	for i := range 5 {
		require.Equal(t, 1, bob.Count(fmt.Sprintf("Ann: trip %d of Ann", i)))
		require.Equal(t, 1, ann.Count(fmt.Sprintf(": direct %d of Bob", i)))
	}
	require.Zero(t, bob.Count("without Bob"))
	for _, p := range []*chattest.Process{ann, bob} {
		require.Zero(t, p.Count("error: "))
		p.Close()
	}
	server.Stop()
}

// A person links a second terminal over the real server: both show the same digits, and from then on it reads and writes as that person, in
// the spaces of the first one and in direct conversations.
func TestSecondDevice(t *testing.T) {
	server := chattest.Build(t).Backend()
	ann, bob := server.Terminal(t.TempDir(), "Ann"), server.Terminal(t.TempDir(), "Bob")
	address := strings.TrimPrefix(ann.Wait("you are "), "you are ")
	ann.Say("/space Trip", "/invite")
	bob.Say("/join " + strings.TrimPrefix(ann.Wait("link "), "link "))
	bob.Wait("[space Trip] you are in")
	ann.Wait("[space Trip] Bob arrived")

	home := t.TempDir()
	tablet := server.Terminal(home, "Ann", "-further")
	tablet.Wait("nobody's yet")
	ann.Say("/link")
	tablet.Say("/accept " + strings.TrimPrefix(ann.Wait("code "), "code "))
	shown := func(p *chattest.Process) string {
		digits, _, _ := strings.Cut(strings.TrimPrefix(p.Wait("digits "), "digits "), ":")
		return digits
	}
	require.Equal(t, shown(ann), shown(tablet))
	ann.Say("/confirm " + shown(tablet))
	tablet.Say("/confirm " + shown(ann))
	ann.Wait("linked")
	tablet.Wait("linked")
	tablet.Wait("[space Trip] you are in")

	bob.Say("hello both of Ann", "/direct "+address, "to Ann")
	for _, p := range []*chattest.Process{ann, tablet} {
		p.Wait("[space Trip] Bob: hello both of Ann")
		p.Wait(": to Ann")
	}
	tablet.Kill()
	tablet = server.Terminal(home, "Ann", "-further")
	require.Equal(t, "you are "+address, tablet.Wait("you are "))
	tablet.Say("/enter 1", "from the tablet")
	for _, p := range []*chattest.Process{ann, bob} {
		p.Wait("[space Trip] Ann: from the tablet")
	}
	for _, p := range []*chattest.Process{ann, bob, tablet} {
		require.Zero(t, p.Count("error: "))
		p.Close()
	}
	server.Stop()
}
