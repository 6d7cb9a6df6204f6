//go:build browser && unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/stretchr/testify/require"
)

// patience bounds how long a test waits for the browser. Only a page that fails takes it.
const patience = 20 * time.Minute

// browser is Chromium without a window, driven by the DevTools protocol.
type browser struct {
	*testing.T
	profile string
	conn    *websocket.Conn
	last    int
}

// open starts the browser with one page.
func open(t *testing.T, url string) *browser {
	b := &browser{T: t, profile: t.TempDir()}
	// As root, which a container often is, Chromium runs without its sandbox only. It shows pages of this test.
	c := exec.Command(program(t), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=900,800",
		"--remote-debugging-port=0", "--user-data-dir="+b.profile, url)
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
		require.Eventually(t, func() bool { return os.RemoveAll(b.profile) == nil }, patience, 50*time.Millisecond) // its children end after it
	})
	b.connect()
	return b
}

// program returns the browser of this machine.
func program(t *testing.T) string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	require.FailNow(t, "there is no Chromium: .ci/web installs it on Debian")
	return ""
}

// connect connects to the page, which may come after the browser has begun to listen.
func (b *browser) connect() {
	var address string
	require.Eventually(b, func() bool {
		// The browser writes into this file at which port it listens.
		raw, err := os.ReadFile(filepath.Join(b.profile, "DevToolsActivePort"))
		if err != nil {
			return false
		}
		port, _, _ := strings.Cut(string(raw), "\n")
		resp, err := http.Get("http://127.0.0.1:" + port + "/json/list")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		var targets []struct{ Type, WebSocketDebuggerURL string }
		if json.NewDecoder(resp.Body).Decode(&targets) != nil {
			return false
		}
		for _, t := range targets {
			if t.Type == "page" {
				address = t.WebSocketDebuggerURL
			}
		}
		return address != ""
	}, patience, 50*time.Millisecond, "the browser has no page")
	conn, _, err := websocket.Dial(b.Context(), address, nil)
	require.NoError(b, err)
	conn.SetReadLimit(-1) // a screenshot is long
	b.Cleanup(func() { conn.CloseNow() })
	b.conn = conn
}

// call calls a method of the protocol.
func (b *browser) call(method string, params any, result any) error {
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	b.last++
	if err := wsjson.Write(ctx, b.conn, map[string]any{"id": b.last, "method": method, "params": params}); err != nil {
		return err
	}
	for {
		var answer struct {
			ID     int
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if err := wsjson.Read(ctx, b.conn, &answer); err != nil {
			return err
		}
		if answer.ID != b.last {
			continue // an event
		}
		if answer.Error != nil {
			return fmt.Errorf("%s: %s", method, answer.Error.Message)
		}
		return json.Unmarshal(answer.Result, result)
	}
}

// try returns the value of an expression, a string, once a promise that it is is kept. While the page changes there is none.
func (b *browser) try(expression string) (string, error) {
	var out struct {
		Result           struct{ Value string }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	err := b.call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &out)
	if e := out.ExceptionDetails; err == nil && e != nil {
		err = fmt.Errorf("%s: %s %s", expression, e.Text, e.Exception.Description)
	}
	return out.Result.Value, err
}

// eval is try for what must work.
func (b *browser) eval(expression string) string {
	b.Helper()
	out, err := b.try(expression)
	require.NoError(b, err)
	return out
}

// until waits until an expression has a value that holds.
func (b *browser) until(what, expression string, holds func(string) bool) {
	b.Helper()
	last := ""
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		text, err := b.try(expression)
		if err == nil && holds(text) {
			return
		}
		if last = text; time.Now().After(deadline) {
			require.FailNow(b, "the page is not as it should be", "%s: %v\n%s", what, err, last)
		}
	}
}

const shown = `document.getElementById("lines").innerText`

// lines returns what the page shows.
func (b *browser) lines() string { return b.eval(shown) }

// wait waits until the page shows a text.
func (b *browser) wait(text string) {
	b.Helper()
	b.until("it does not show "+text, shown, func(lines string) bool { return strings.Contains(lines, text) })
}

// line returns what stands behind a text in the line that has it.
func (b *browser) line(text string) string {
	b.Helper()
	b.wait(text)
	_, rest, _ := strings.Cut(b.lines(), text)
	rest, _, _ = strings.Cut(rest, "\n")
	return rest
}

// say types a line and sends it, as a person does.
func (b *browser) say(line string) {
	b.Helper()
	b.eval(`document.getElementById("line").focus(), ""`)
	var none struct{}
	require.NoError(b, b.call("Input.insertText", map[string]any{"text": line}, &none))
	b.eval(`document.getElementById("form").requestSubmit(), ""`)
}

// navigate opens another address in the page, and returns when the page is that of the address.
func (b *browser) navigate(url string) {
	b.Helper()
	var out struct{ ErrorText string }
	require.NoError(b, b.call("Page.navigate", map[string]any{"url": url}, &out))
	require.Empty(b, out.ErrorText, url)
}

// screenshot writes a picture of the page.
func (b *browser) screenshot(file string) {
	b.Helper()
	var out struct{ Data []byte }
	require.NoError(b, b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &out))
	require.NoError(b, os.WriteFile(file, out.Data, 0o644))
	b.Logf("a picture of the page is in %s", file)
}
