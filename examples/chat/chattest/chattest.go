//go:build unix

// Package chattest runs the server and the terminals of the examples as processes, for tests.
package chattest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/porttest"
)

// patience bounds how long a test waits for a line. Only a program that fails takes it.
const patience = 5 * time.Minute

// Programs are the programs of the examples, built.
type Programs struct {
	testing.TB
	dir string
}

// Build builds the server and the terminal, without what only a debugger reads: half of the linking.
func Build(tb testing.TB) Programs {
	p := Programs{tb, tb.TempDir()}
	out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", p.dir, "../backend", "../chat").CombinedOutput()
	require.NoError(tb, err, "%s", out)
	return p
}

// Backend is a server with its database in a file.
type Backend struct {
	Programs
	URL    string
	file   string
	listen string
	args   []string
	now    *Process
}

// Backend starts a server.
func (p Programs) Backend(args ...string) *Backend {
	p.Helper()
	b := &Backend{Programs: p, file: filepath.Join(p.TempDir(), "backend.db"), listen: porttest.Address(p), args: args}
	b.Start()
	return b
}

// Start starts the server again, at the same address and on the same file.
func (b *Backend) Start() {
	b.Helper()
	b.now = b.start("backend", append([]string{"-listen", b.listen, "-sqlite", b.file}, b.args...)...)
	b.URL = b.now.Wait("http://")
}

// Kill ends the server with SIGKILL.
func (b *Backend) Kill() { b.now.Kill() }

// Stop ends the server as a person does, and requires that it ends well.
func (b *Backend) Stop() {
	b.Helper()
	require.NoError(b, b.now.cmd.Process.Signal(os.Interrupt))
	require.NoError(b, b.now.ended(), "the server does not end well")
}

// Terminal starts a terminal of the device in a directory.
func (b *Backend) Terminal(home, name string, args ...string) *Process {
	b.Helper()
	return b.start("chat", append([]string{"-server", b.URL, "-home", home, "-name", name}, args...)...)
}

// Process is a program under test, with all lines that it has said.
type Process struct {
	testing.TB
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	end  sync.WaitGroup

	mu     sync.Mutex
	lines  []string
	errors strings.Builder
	came   chan struct{} // closed when a line comes
}

// start starts a program, which ends with the test.
func (p Programs) start(program string, args ...string) *Process {
	p.Helper()
	c := &Process{TB: p.TB, name: program, cmd: exec.Command(filepath.Join(p.dir, program), args...), came: make(chan struct{})}
	var err error
	c.in, err = c.cmd.StdinPipe()
	require.NoError(p, err)
	out, err := c.cmd.StdoutPipe()
	require.NoError(p, err)
	c.cmd.Stderr = &c.errors
	require.NoError(p, c.cmd.Start())
	c.end.Go(func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			c.mu.Lock()
			c.lines = append(c.lines, s.Text())
			close(c.came)
			c.came = make(chan struct{})
			c.mu.Unlock()
		}
	})
	p.Cleanup(func() {
		c.Kill()
		if p.Failed() {
			p.Logf("%s %v said:\n%s\n%.20000s", program, args, strings.Join(c.Lines(), "\n"), c.errors.String())
		}
	})
	return c
}

// Say writes lines.
func (c *Process) Say(lines ...string) {
	c.Helper()
	for _, line := range lines {
		_, err := fmt.Fprintln(c.in, line)
		require.NoError(c, err)
	}
}

// Wait waits for a line with a text, and returns the line. There may be one already.
func (c *Process) Wait(text string) string {
	c.Helper()
	deadline := time.After(patience)
	for seen := 0; ; {
		c.mu.Lock()
		lines, came := c.lines, c.came
		c.mu.Unlock()
		for ; seen < len(lines); seen++ {
			if strings.Contains(lines[seen], text) {
				return lines[seen]
			}
		}
		select {
		case <-came:
		case <-deadline:
			require.FailNow(c, "a line is missing", "%s does not say %q", c.name, text)
		}
	}
}

// Lines returns what the program has said.
func (c *Process) Lines() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lines[:len(c.lines):len(c.lines)]
}

// Count returns how many lines have a text.
func (c *Process) Count(text string) (n int) {
	for _, line := range c.Lines() {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// Kill ends the program with SIGKILL. One that has ended already is no error.
func (c *Process) Kill() {
	c.cmd.Process.Kill()
	c.ended()
}

// Close ends the input of the program, which ends it, and requires that it ends well.
func (c *Process) Close() {
	c.Helper()
	require.NoError(c, c.in.Close())
	require.NoError(c, c.ended(), "%s does not end well", c.name)
}

func (c *Process) ended() error {
	c.end.Wait() // before Wait, which closes what the lines come from
	return c.cmd.Wait()
}
