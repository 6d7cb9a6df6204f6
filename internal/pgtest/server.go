//go:build unix

package pgtest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// required, set in the environment, makes a test fail that cannot start a server; otherwise it is skipped.
const required = "TREFOIL_POSTGRES"

// role is the superuser of a server. Whoever reaches the socket is let in.
const role = "trefoil"

// Server is a PostgreSQL server. It is used by one goroutine at a time.
type Server struct {
	dir     string    // cluster and socket
	process *exec.Cmd // nil while it is not running
}

// Start starts a server with a cluster of its own, which ends with the test. A test on a machine without PostgreSQL is
// skipped, or fails if the variable TREFOIL_POSTGRES is set in the environment.
func Start(tb testing.TB) *Server {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	s := newServer(tb)
	tb.Cleanup(s.remove)
	return s
}

// Database makes a database on a server that the tests of a process share, and returns its connection string, as keywords and
// values. For a machine without PostgreSQL the same holds as for Start.
func Database(tb testing.TB) string {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		shared.server = newServer(tb)
	}
	shared.databases++
	name := fmt.Sprint("test_", shared.databases)
	shared.server.sql(tb, "CREATE DATABASE "+name)
	return shared.server.dsn(name)
}

// Run runs the tests of a package, and then ends and removes what is left of servers. The TestMain of every package that starts
// some calls it.
func Run(m *testing.M) int {
	shared.runs = true
	defer func() {
		if shared.server != nil {
			shared.server.remove()
		}
		if shared.dir != "" {
			os.RemoveAll(shared.dir)
		}
	}()
	return m.Run()
}

// shared is what the tests of a process share.
var shared struct {
	sync.Mutex
	runs      bool   // Run was called
	dir       string // all files of this process
	template  string // a cluster that was never started, of which those of servers are copies
	programs  string // directory of the server's programs
	account   *syscall.Credential
	servers   int
	server    *Server // of Database
	databases int
}

// initialize finds the programs and makes the template: initdb takes as long as many starts of a server.
func initialize(tb testing.TB) {
	tb.Helper()
	if shared.template != "" {
		return
	}
	if !shared.runs {
		tb.Fatal("pgtest: the package needs a TestMain that calls pgtest.Run")
	}
	if shared.programs = programs(); shared.programs == "" {
		if os.Getenv(required) != "" {
			tb.Fatal("pgtest: there are no programs of PostgreSQL")
		}
		tb.Skipf("pgtest: there are no programs of PostgreSQL; %s=1 makes this a failure", required)
	}
	var err error
	if os.Getuid() == 0 {
		if shared.account, err = unprivileged(); err != nil {
			tb.Fatal(err)
		}
	}
	// The path of a Unix socket has at most some 100 bytes, which those of testing may exceed.
	if shared.dir, err = os.MkdirTemp(memory(), "pg"); err != nil {
		tb.Fatal(err)
	}
	own(tb, shared.dir)
	template := filepath.Join(shared.dir, "template")
	initdb := command("initdb", "-D", template, "-U", role, "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "--wal-segsize=1")
	if out, err := initdb.CombinedOutput(); err != nil {
		tb.Fatalf("pgtest: initdb: %v\n%s", err, out)
	}
	shared.template = template
}

// own gives a directory to the account that runs servers.
func own(tb testing.TB, dir string) {
	tb.Helper()
	if shared.account == nil {
		return
	}
	if err := os.Chown(dir, int(shared.account.Uid), int(shared.account.Gid)); err != nil {
		tb.Fatal(err)
	}
}

func newServer(tb testing.TB) *Server {
	tb.Helper()
	initialize(tb)
	shared.servers++
	s := &Server{dir: filepath.Join(shared.dir, strconv.Itoa(shared.servers))}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	own(tb, s.dir)
	if out, err := exec.Command("cp", "-R", "-p", shared.template, s.cluster()).CombinedOutput(); err != nil {
		tb.Fatalf("pgtest: cp: %v\n%s", err, out)
	}
	s.Restart(tb)
	return s
}

// remove ends the server and removes its files.
func (s *Server) remove() {
	if s.process != nil {
		s.end(syscall.SIGQUIT)
	}
	os.RemoveAll(s.dir)
}

// DSN returns the connection string of the database "postgres", as keywords and values.
func (s *Server) DSN() string { return s.dsn("postgres") }

func (s *Server) dsn(database string) string {
	return "host=" + s.dir + " user=" + role + " dbname=" + database
}

// Kill ends the server as by SIGKILL. What it had answered is there after Restart.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	if err := s.end(syscall.SIGKILL); err != nil {
		tb.Fatal(err)
	}
}

// Restart starts the server if it is not running, and returns when it can be connected to.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	if s.process != nil {
		return
	}
	for {
		log, ready := s.start(tb)
		if ready {
			return
		}
		// Processes of a killed server go on for a moment, and until then there can be no other. Each try is a process itself.
		if !strings.Contains(log, "is still in use") && !strings.Contains(log, "already exists") {
			tb.Fatalf("pgtest: the server did not start:\n%s", log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// settings make a server cheap. One that is killed loses nothing that it gave to the operating system, so syncs only cost time.
// Forking a connection's process copies the page table of the shared buffers.
var settings = []string{
	"-c", "listen_addresses=", "-c", "max_connections=200", "-c", "fsync=off", "-c", "shared_buffers=8MB", "-c", "jit=off",
	"-c", "autovacuum=off", "-c", "wal_level=minimal", "-c", "max_wal_senders=0",
}

// start starts the server and waits until it is ready or has ended. It returns what the server said until then.
func (s *Server) start(tb testing.TB) (log string, ready bool) {
	c := command("postgres", append([]string{"-D", s.cluster(), "-k", s.dir}, settings...)...)
	out, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		tb.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		log += lines.Text() + "\n"
		if strings.Contains(lines.Text(), "ready to accept connections") {
			s.process = c
			go io.Copy(io.Discard, out)
			return log, true
		}
	}
	c.Wait()
	return log, false
}

// end sends a signal to the server and waits for its end.
func (s *Server) end(signal os.Signal) error {
	if err := s.process.Process.Signal(signal); err != nil {
		return err
	}
	s.process.Process.Wait()
	s.process = nil
	return nil
}

// sql runs a statement in the database "postgres" with the server's own client.
func (s *Server) sql(tb testing.TB, statement string) string {
	tb.Helper()
	out, err := command("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", s.DSN(), "-c", statement).CombinedOutput()
	if err != nil {
		tb.Fatalf("pgtest: psql: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func (s *Server) cluster() string { return filepath.Join(s.dir, "data") }

// command returns a command that runs one of the server's programs.
func command(program string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(shared.programs, program), args...)
	c.Dir = shared.dir
	c.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	if shared.account != nil {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: shared.account}
	}
	return c
}

// programs returns the directory of the server's programs, of the newest version if there are several, or "".
func programs() string {
	var dirs []string
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin",
		"/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin",
	} {
		found, _ := filepath.Glob(pattern)
		slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
		dirs = append(dirs, found...)
	}
	for _, dir := range dirs {
		if executable(dir, "initdb") && executable(dir, "postgres") {
			return dir
		}
	}
	return ""
}

// version returns the number in a path, 0 if there is none.
func version(path string) (n int) {
	for _, c := range path {
		if c >= '0' && c <= '9' {
			n = n*10 + int(c-'0')
		}
	}
	return n
}

func executable(dir, name string) bool {
	info, err := os.Stat(filepath.Join(dir, name))
	return err == nil && info.Mode()&0o111 != 0
}

// unprivileged returns an account that is not root's.
func unprivileged() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			continue
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			continue
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("pgtest: there is no account postgres or nobody to run the server")
}
