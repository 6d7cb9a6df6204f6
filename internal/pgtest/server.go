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
	"syscall"
	"testing"
)

// required, set in the environment, makes a test fail that cannot start a server; otherwise it is skipped.
const required = "TREFOIL_POSTGRES"

// role is the superuser of a server. Whoever reaches the socket is let in.
const role = "trefoil"

// Server is a PostgreSQL server. It is used by one goroutine at a time.
type Server struct {
	dir     string // cluster and socket
	bin     string // of the server's programs
	account *syscall.Credential
	process *exec.Cmd // nil while it is not running
}

// Start makes a cluster and starts its server, which ends with the test. A test on a machine without PostgreSQL is
// skipped, or fails if the variable TREFOIL_POSTGRES is set in the environment.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{bin: programs()}
	if s.bin == "" {
		if os.Getenv(required) != "" {
			tb.Fatal("pgtest: there are no programs of PostgreSQL")
		}
		tb.Skipf("pgtest: there are no programs of PostgreSQL; %s=1 makes this a failure", required)
	}
	var err error
	// The path of a Unix socket has at most some 100 bytes, which those of testing may exceed.
	if s.dir, err = os.MkdirTemp("", "pg"); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if s.process != nil {
			s.end(tb, syscall.SIGQUIT)
		}
		os.RemoveAll(s.dir)
	})
	if os.Getuid() == 0 {
		if s.account, err = unprivileged(); err == nil {
			err = os.Chown(s.dir, int(s.account.Uid), int(s.account.Gid))
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	initdb := s.command("initdb", "-D", s.cluster(), "-U", role, "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		tb.Fatalf("pgtest: initdb: %v\n%s", err, out)
	}
	s.Restart(tb)
	return s
}

// DSN returns the connection string of the database "postgres", as keywords and values.
func (s *Server) DSN() string { return "host=" + s.dir + " user=" + role + " dbname=postgres" }

// Kill ends the server as by SIGKILL. What it had answered is there after Restart.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	s.end(tb, syscall.SIGKILL)
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
		// Processes of a killed server go on for a moment, and until then there can be no other.
		if !strings.Contains(log, "is still in use") && !strings.Contains(log, "already exists") {
			tb.Fatalf("pgtest: the server did not start:\n%s", log)
		}
	}
}

// start starts the server and waits until it is ready or has ended. It returns what the server said until then.
func (s *Server) start(tb testing.TB) (log string, ready bool) {
	// A server's process that is killed loses nothing that it gave to the operating system, so syncs only cost time.
	c := s.command("postgres", "-D", s.cluster(), "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200")
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
func (s *Server) end(tb testing.TB, signal os.Signal) {
	tb.Helper()
	if err := s.process.Process.Signal(signal); err != nil {
		tb.Fatal(err)
	}
	s.process.Process.Wait()
	s.process = nil
}

func (s *Server) cluster() string { return filepath.Join(s.dir, "data") }

// command returns a command that runs one of the server's programs.
func (s *Server) command(program string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.bin, program), args...)
	c.Dir = s.dir
	c.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	if s.account != nil {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: s.account}
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
