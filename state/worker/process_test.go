package worker_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil/internal/pgtest"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/worker"
)

// The test binary is a worker if these are set.
const (
	placeVariable = "TREFOIL_WORKER_PLACE"
	timeVariable  = "TREFOIL_WORKER_SEND_TIME"
)

func TestMain(m *testing.M) {
	if place := os.Getenv(placeVariable); place != "" {
		if err := work(place, os.Getenv(timeVariable)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(pgtest.Run(m))
}

// nothing is a part that holds nothing.
type nothing struct{}

func (nothing) Encode(e *state.Encoder)                  { e.Version(1) }
func (nothing) Decode(d *state.Decoder) (nothing, error) { d.Version(1, 1); return nothing{}, nil }
func (nothing) Succeeds(nothing) error                   { return nil }

type value = state.One[nothing]

func openVault(ctx context.Context, s store.Store, o state.Options) (*state.Vault[value], error) {
	key, err := state.NewKey(make([]byte, state.KeySize))
	if err != nil {
		return nil, err
	}
	return state.Open[value](ctx, s, key, o)
}

// openPlace opens a vault that processes share, in an SQLite file or on a server of PostgreSQL, whose connection string begins with
// its host. What close closes is closed by the end of the process, too.
func openPlace(ctx context.Context, place string, sendTime time.Duration) (v *state.Vault[value], closePlace func(), err error) {
	driver, open := "sqlite", sqlstore.SQLite
	if strings.HasPrefix(place, "host=") {
		driver, open = "pgx", sqlstore.Postgres
	}
	db, err := sql.Open(driver, place)
	if err != nil {
		return nil, nil, err
	}
	s, err := open(ctx, db)
	if err != nil {
		return nil, nil, err
	}
	v, err = openVault(ctx, s, state.Options{Shared: true, SendTime: sendTime, Senders: 3})
	return v, func() { s.Close(); db.Close() }, err
}

// work is a process that sends until its standard input ends. Each frame is a line on standard output, and what became of it,
// before the frame itself, a line of standard input. Its last line says how often it stood still for too long.
func work(place, sendTime string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	d, err := time.ParseDuration(sendTime)
	if err != nil {
		return err
	}
	v, closePlace, err := openPlace(ctx, place, d)
	if err != nil {
		return err
	}
	defer closePlace()
	answers := make(chan string)
	go func() {
		defer cancel()
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			answers <- lines.Text()
		}
	}()
	var line sync.Mutex
	late := 0 // frames that were written and not answered in time
	send := func(sending context.Context, id state.ID, o state.Outgoing) state.Delivery {
		line.Lock()
		defer line.Unlock()
		if sending.Err() != nil {
			return state.Delivery{}
		}
		frame := fmt.Sprintf("%v %s %s", id, o.To, o.Data)
		fmt.Println(frame)
		for {
			select {
			case a := <-answers:
				switch a {
				case "taken " + frame:
					return state.Delivered()
				case "later " + frame:
					return state.RetryAfter(time.Hour)
				}
			case <-sending.Done():
				if ctx.Err() == nil {
					late++
				}
				return state.Delivery{}
			}
		}
	}
	failed := func(id state.ID, err error) { fmt.Fprintf(os.Stderr, "%v: %v\n", id, err) }
	worker.New(v, send, worker.Options{Scan: 20 * time.Millisecond, Failed: failed}).Run(ctx)
	fmt.Printf("stood still %d\n", v.Stats().Fenced+uint64(late))
	return nil
}

// process is a worker that runs.
type process struct {
	number int
	cmd    *exec.Cmd
	in     io.WriteCloser
	ended  chan struct{}
	killed bool
	still  bool // it stood still for too long
}

// start starts a worker; handle answers each of its lines in one goroutine.
func start(t *testing.T, number int, place string, sendTime time.Duration, handle func(p *process, line string)) *process {
	p := &process{number: number, cmd: exec.Command(os.Args[0]), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), placeVariable+"="+place, timeVariable+"="+sendTime.String())
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	require.NoError(t, err)
	p.in = in
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if n, ok := strings.CutPrefix(lines.Text(), "stood still "); ok {
				p.still = n != "0"
			} else {
				handle(p, lines.Text())
			}
		}
	}()
	return p
}

// kill ends the process without warning.
func (p *process) kill() {
	p.killed = true
	_ = p.cmd.Process.Kill()
}

// stop lets the process end, and waits for it.
func (p *process) stop(t *testing.T) {
	p.in.Close()
	<-p.ended
	if err := p.cmd.Wait(); !p.killed {
		require.NoError(t, err)
	}
}
