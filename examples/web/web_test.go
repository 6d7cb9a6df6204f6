//go:build browser && unix

package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/examples/chat/chattest"
)

// testPage runs tests that were compiled for a browser, and keeps what they print.
const testPage = `<!doctype html>
<script src="wasm_exec.js"></script>
<script>
	const printed = [];
	console.log = line => printed.push(line);
	const go = new Go();
	go.argv = ["test", "-test.v"];
	const code = new Promise(resolve => go.exit = resolve);
	WebAssembly.instantiateStreaming(fetch("test.wasm"), go.importObject).then(result => go.run(result.instance));
	const ended = code.then(code => printed.join("\n") + "\nexit " + code);
</script>`

// The store of the page passes the conformance kit, in the browser.
func TestStoreInBrowser(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, build(dir, "test -c", "./indexeddb", "test.wasm"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "index.html"), []byte(testPage), 0o644))
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	page := open(t, server.URL)
	page.until("it does not load", `typeof ended`, func(text string) bool { return text == "object" })
	printed := page.eval("ended")
	require.True(t, strings.HasSuffix(printed, "\nexit 0"), "%s", printed)
	require.Contains(t, printed, "--- PASS: TestStore")
	require.NotContains(t, printed, "--- SKIP")
}

// Two terminals and a browser in one space, and the browser in a direct conversation, over the real server. It is killed and started
// again while all write, and the page is loaded again: nothing is lost.
func TestPage(t *testing.T) {
	pages := t.TempDir()
	require.NoError(t, build(pages, "build", ".", "chat.wasm"))
	server := chattest.Build(t).Backend("-pages", pages)
	ann, bob := server.Terminal(t.TempDir(), "Ann"), server.Terminal(t.TempDir(), "Bob")
	ann.Say("/space Trip", "/invite")
	link := strings.TrimPrefix(ann.Wait("link "), "link ")

	// The link is one of the page itself, which joins by it when it is opened.
	page := open(t, "about:blank")
	page.navigate(strings.Replace(link, "#", "?name=Eve#", 1))
	page.wait("[space Trip] you are in")
	ann.Say("/invite")
	require.Eventually(t, func() bool { return ann.Count("link ") == 2 }, patience, 50*time.Millisecond)
	for _, line := range ann.Lines() {
		if second, found := strings.CutPrefix(line, "link "); found && second != link {
			bob.Say("/join " + second)
		}
	}
	bob.Wait("[space Trip] you are in")
	page.say("hello from the page")
	ann.Wait("[space Trip] Eve: hello from the page")
	bob.Wait("[space Trip] Eve: hello from the page")
	ann.Say("hello to the page")
	page.wait("[space Trip] Ann: hello to the page")

	server.Kill()
	ann.Say("while it was away, Ann")
	bob.Say("while it was away, Bob")
	page.say("while it was away, Eve")
	page.wait("you: while it was away, Eve") // it is durable
	page.navigate("about:blank")
	server.Start()
	page.navigate(server.URL + "/?name=Eve")
	for _, name := range []string{"Ann", "Bob", "Eve"} {
		text := "while it was away, " + name
		for _, other := range []*chattest.Process{ann, bob} {
			other.Wait(text)
			require.Equal(t, 1, other.Count(text))
		}
		if name != "Eve" { // its own line went with the page
			page.wait(text)
		}
	}

	// The page founds a space of its own, which a terminal joins, and writes to a person.
	page.say("/space Plans")
	page.wait("you founded space Plans")
	page.say("/invite")
	bob.Say("/join " + page.line("link "))
	bob.Wait("[space Plans] you are in")
	bob.Say("hello in here")
	page.wait("[space Plans] Bob: hello in here")
	page.say("/direct " + strings.TrimPrefix(ann.Wait("you are "), "you are "))
	page.say("between us")
	ann.Wait(": between us")

	picture := os.Getenv("TREFOIL_SCREENSHOT")
	if picture == "" {
		picture = filepath.Join(os.TempDir(), "trefoil-page.png")
	}
	page.screenshot(picture)
	require.NotContains(t, page.lines(), "error: ")
	for _, p := range []*chattest.Process{ann, bob} {
		require.Zero(t, p.Count("error: "))
		p.Close()
	}
	server.Stop()
}
