package lineartest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/pgtest"
)

// operations returns how many each writer does: 50, or 2,000 with TREFOIL_LONG=1.
func operations() int {
	switch {
	case testing.Short():
		return 25
	case os.Getenv("TREFOIL_LONG") != "":
		return 2000
	}
	return 50
}

// writers is how many write at once, in all processes together.
const writers = 64

// write lets the writers do n operations each, some of them on two registers at once. Writer w does them with do(w, ...).
func write(seed uint64, n int, do func(writer int, in Request) ([]uint64, error)) (*history, error) {
	h := &history{}
	failures := make([]error, writers)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(w)))
			for range n {
				in := Request{Group: r.IntN(groups), Adds: r.IntN(3) > 0}
				if in.Registers = r.Perm(groupSize)[:1]; in.Adds {
					in.Registers = slices.Sorted(slices.Values(r.Perm(groupSize)[:1+r.IntN(2)]))
				}
				err := h.record(w, in, func(in Request) ([]uint64, error) { return do(w, in) })
				if failures[w] = err; err != nil {
					return
				}
			}
		})
	}
	all.Wait()
	return h, errors.Join(failures...)
}

// check requires that a history is linearizable and that the registers hold what was added.
func (h *history) check(t *testing.T, s registers, seed uint64) {
	require.True(t, h.linearizable(), "not linearizable, seed %d", seed)
	for g, sums := range h.added() {
		for r, sum := range sums {
			held, err := s.do(t.Context(), Request{Group: g, Registers: []int{r}})
			require.NoError(t, err)
			require.Equal(t, []uint64{sum}, held, "register %d of group %d, seed %d", r, g, seed)
		}
	}
}

// Updates and loads of a vault are linearizable, and none is lost (G3).
func TestWritersOfOneVault(t *testing.T) { testOneVault(t, filepath.Join(t.TempDir(), "linear.db")) }

// The same holds across processes on one file (G3).
func TestWritersInFourProcesses(t *testing.T) {
	testFourProcesses(t, filepath.Join(t.TempDir(), "linear.db"))
}

func testOneVault(t *testing.T, place string) {
	const seed = 1
	s, err := open(t.Context(), place)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.close()) }()
	s.create(t)
	h, err := write(seed, operations(), func(_ int, in Request) ([]uint64, error) { return s.do(t.Context(), in) })
	require.NoError(t, err)
	h.check(t, s, seed)
}

func testFourProcesses(t *testing.T, place string) {
	const seed, processes = 2, 4
	s, err := open(t.Context(), place)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.close()) }()
	s.create(t)
	var clients [processes]*rpc.Client
	for i := range clients {
		clients[i] = start(t, place)
	}
	h, err := write(seed, operations(), func(writer int, in Request) (held []uint64, err error) {
		err = clients[writer%processes].Call("Server.Do", in, &held)
		return held, err
	})
	require.NoError(t, err)
	h.check(t, s, seed)
}

// The model sees writers that add without compare-and-swap: two that have both read before either writes.
func TestLostUpdatesAreSeen(t *testing.T) {
	s, err := open(t.Context(), filepath.Join(t.TempDir(), "linear.db"))
	require.NoError(t, err)
	defer func() { require.NoError(t, s.close()) }()
	s.create(t)
	h := &history{}
	var read, all sync.WaitGroup
	read.Add(2)
	for w := range 2 {
		all.Go(func() {
			err := h.record(w, Request{Registers: []int{0}, Adds: true}, func(in Request) ([]uint64, error) {
				return s.forgetful(t.Context(), in, func() { read.Done(); read.Wait() })
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.False(t, h.linearizable())
}

// Server carries out requests that come from another process.
type Server struct{ registers }

// Do carries out a request.
func (s *Server) Do(in Request, held *[]uint64) (err error) {
	*held, err = s.do(context.Background(), in)
	return err
}

// variable names the place of a process that is a server: this test program, started anew.
const variable = "TREFOIL_LINEARTEST_PLACE"

func TestMain(m *testing.M) {
	if place := os.Getenv(variable); place != "" {
		if err := serve(place); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(pgtest.Run(m))
}

// pipes is a connection over two pipes.
type pipes struct {
	io.ReadCloser
	out io.WriteCloser
}

func (p pipes) Write(b []byte) (int, error) { return p.out.Write(b) }
func (p pipes) Close() error                { return errors.Join(p.out.Close(), p.ReadCloser.Close()) }

// serve serves requests from standard input until it ends.
func serve(place string) error {
	s, err := open(context.Background(), place)
	if err != nil {
		return err
	}
	server := rpc.NewServer()
	if err := server.Register(&Server{s}); err != nil {
		return err
	}
	server.ServeConn(pipes{os.Stdin, os.Stdout})
	return s.close()
}

// start starts a server, which ends with the test.
func start(t *testing.T, place string) *rpc.Client {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), variable+"="+place)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	client := rpc.NewClient(pipes{out, in})
	t.Cleanup(func() {
		client.Close()
		cmd.Wait()
	})
	return client
}
