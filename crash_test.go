package trefoil_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
)

var seed = flag.Uint64("seed", 1, "seed of what the tests draw")

// chatEnv names the relay, the device and its file to a process that is a chat program, and says whether another one uses the file, too.
const chatEnv = "TREFOIL_TEST_CHAT"

func TestMain(m *testing.M) {
	if args := strings.Fields(os.Getenv(chatEnv)); len(args) == 4 {
		var o trefoil.Options
		if o.Shared = args[3] == "true"; o.Shared {
			o.Every = 200 * time.Millisecond
		}
		chat(context.Background(), socket{args[0], args[1]}, args[1], args[2], o)
		return
	}
	os.Exit(m.Run())
}

// process is a chat program in a process of its own.
type process struct {
	*testing.T
	name, relay, file string
	shared            bool // another process uses the file, too
	cmd               *exec.Cmd
	in                io.WriteCloser
	out               *bufio.Reader
	since             int // how many messages had been written when it came
}

func start(t *testing.T, relay, dir, name string, shared bool) *process {
	p := &process{T: t, name: name, relay: relay, file: filepath.Join(dir, name+".db"), shared: shared}
	p.begin()
	t.Cleanup(p.kill)
	return p
}

func (p *process) begin() {
	self, err := os.Executable()
	require.NoError(p, err)
	p.cmd = exec.Command(self)
	p.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s %t", chatEnv, p.relay, p.name, p.file, p.shared))
	p.cmd.Stderr = os.Stderr
	p.in, err = p.cmd.StdinPipe()
	require.NoError(p, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(p, err)
	p.out = bufio.NewReader(out)
	require.NoError(p, p.cmd.Start())
}

// kill is kill -9.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// do gives a command and returns the answer.
func (p *process) do(command string) string {
	p.Helper()
	_, err := fmt.Fprintln(p.in, command)
	require.NoError(p, err, p.name)
	line, err := p.out.ReadString('\n')
	require.NoError(p, err, "%s: %s", p.name, command)
	return line[:len(line)-1]
}

// until repeats a question until the answer is as it is to be.
func (p *process) until(question string, is func(answer string) bool) {
	p.Helper()
	for !is(p.do(question)) {
		time.Sleep(5 * time.Millisecond)
	}
}

// people returns the names of the devices of each person in the space, as a process sees them.
func (p *process) people() [][]string {
	p.Helper()
	names := make(map[string][]string)
	for _, member := range strings.Fields(p.do("members")) {
		name, person, _ := strings.Cut(member, "/")
		names[person] = append(names[person], name)
	}
	return slices.Collect(maps.Values(names))
}

// history returns the lines of the program's own table.
func (p *process) history() (ids []string) {
	db, err := sql.Open("sqlite", p.file)
	require.NoError(p, err)
	defer db.Close()
	rows, err := db.Query("SELECT id FROM history ORDER BY id")
	require.NoError(p, err)
	defer rows.Close()
	for rows.Next() {
		var id string
		require.NoError(p, rows.Scan(&id))
		ids = append(ids, id)
	}
	require.NoError(p, rows.Err())
	return ids
}

// chatting are processes in one space, and the IDs of all messages that were written in it.
type chatting struct {
	processes []*process
	written   []string
}

func (c *chatting) send(p *process, text string) { c.written = append(c.written, p.do("send "+text)) }

// settle waits until each process has every message that was written since it came, and checks that it has no other.
func (c *chatting) settle() {
	for _, p := range c.processes {
		p.Helper()
		want := c.written[p.since:]
		p.until("count", func(n string) bool { return must(strconv.Atoi(n)) >= len(want) })
		require.ElementsMatch(p, want, p.history(), p.name)
	}
}

// join lets a process in by a link of the first.
func (c *chatting) join(p *process) {
	p.since = len(c.written)
	p.do("join " + c.processes[0].do("invite"))
	c.processes = append(c.processes, p)
	c.send(p, "hello from "+p.name)
	c.settle()
}

// link lets a process in as a further device of the first one's person, who carries the code and types on each what the other shows. Both
// are killed meanwhile.
func (c *chatting) link(p *process) {
	first := c.processes[0]
	p.since = len(c.written)
	p.do("accept " + first.do("link"))
	var shown [2]string
	for i, other := range []*process{first, p} {
		other.until("digits", func(digits string) bool { shown[i] = digits; return digits != "" })
		other.kill()
		other.begin()
	}
	require.Equal(p, shown[0], shown[1])
	p.do("confirm " + shown[0])
	first.do("confirm " + shown[1])
	owner := first.do("person")
	p.until("person", func(person string) bool { return person == owner })
	c.processes = append(c.processes, p)
	c.send(p, "hello from "+p.name)
	c.settle()
}

// remove has the first process remove another, and returns what the removed had read when all knew, it too.
func (c *chatting) remove(p *process) (read []string) {
	c.processes[0].do("remove " + p.name)
	for _, other := range c.processes {
		other.until("members", func(members string) bool { return !strings.Contains(members, p.name) })
	}
	c.processes = slices.DeleteFunc(c.processes, func(other *process) bool { return other == p })
	return c.written[p.since:]
}

// Three processes with histories of their own chat over a socket. They are killed again and again, one writes while it is cut off, and
// after 200 messages another comes by an invite, and a telephone becomes a further device of alice. One is removed, and one leaves. In the
// end each has every message once that it may read, and no other. The program that they are has at most 100 lines.
func TestThreeProcesses(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile("chat_test.go")
	require.NoError(t, err)
	require.LessOrEqual(t, bytes.Count(program, []byte("\n")), 100)

	dir, chance := t.TempDir(), rand.New(rand.NewPCG(*seed, 0))
	t.Logf("repeat with -seed %d", *seed)
	relay := serve(t, filepath.Join(dir, "relay"))
	begin := func(name string) *process { return start(t, filepath.Join(dir, "relay"), dir, name, false) }
	alice, bob, carol := begin("alice"), begin("bob"), begin("carol")
	alice.do("new")
	c := &chatting{processes: []*process{alice}}
	c.join(bob)
	c.join(carol)
	for i := range 200 {
		p := c.processes[chance.IntN(3)]
		c.send(p, fmt.Sprint("line ", i))
		if i%20 == 10 {
			p = c.processes[chance.IntN(3)]
			p.kill()
			p.begin()
		}
		if i == 100 || i == 150 {
			relay.cutOff("carol", i == 100)
		}
	}
	c.settle()
	dave := begin("dave")
	c.join(dave)
	telephone := begin("telephone")
	c.link(telephone)
	for _, p := range c.processes {
		require.ElementsMatch(t, [][]string{{"alice", "alice"}, {"bob"}, {"carol"}, {"dave"}}, p.people(), p.name)
	}
	read := c.remove(bob)
	for i := range 10 {
		c.send(c.processes[chance.IntN(4)], fmt.Sprint("without bob ", i))
		if i == 5 {
			for _, p := range []*process{dave, telephone} {
				p.kill()
				p.begin()
			}
		}
	}
	c.settle()
	require.ElementsMatch(t, read, bob.history(), "bob reads nothing that was written without him")
	dave.do("leave")
	c.send(alice, "dave has left")
	c.settle()
}

// An app and its push extension, two processes of one device, run on one file at once and both write: each of the two devices has every
// message in its program's table once.
func TestTwoProcessesOfOneDevice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	relay := filepath.Join(dir, "relay")
	serve(t, relay)
	alice, app := start(t, relay, dir, "alice", false), start(t, relay, dir, "bob", true)
	alice.do("new")
	c := &chatting{processes: []*process{alice}}
	c.join(app)
	extension := start(t, relay, dir, "bob", true)
	for i := range 30 {
		c.send([]*process{alice, app, extension}[i%3], fmt.Sprint("line ", i))
	}
	c.settle()
}
