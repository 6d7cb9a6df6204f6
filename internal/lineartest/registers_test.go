package lineartest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil/internal/disktest"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
)

// register is a stored number. Any number succeeds any other, so that only the compare-and-swap of the vault stands between
// two writers.
type register struct{ n uint64 }

func (r register) Encode(e *state.Encoder)                 { e.Uint64(r.n) }
func (register) Decode(d *state.Decoder) (register, error) { return register{d.Uint64()}, nil }
func (register) Succeeds(register) error                   { return nil }

// value is the type under test.
type value = state.SpaceEncryptionState[register, register, register]

func registerID(group, r int) state.ID { return sha256.Sum256(fmt.Append(nil, "register", group, r)) }

// registers are on an open store.
type registers struct {
	vault *state.Vault[value]
	close func() error
}

// open opens the registers in a place: the connection string of a PostgreSQL server, or the path of a file. The disk does not
// sync: what a crash leaves is not looked at here.
func open(ctx context.Context, place string) (registers, error) {
	driver, dsn, openStore := "pgx", place, sqlstore.Postgres
	if !strings.HasPrefix(place, "host=") {
		disk, err := disktest.New(func(op disktest.Op) disktest.Fault {
			if op.Kind == disktest.Sync {
				return disktest.Ignored
			}
			return disktest.None
		})
		if err != nil {
			return registers{}, err
		}
		driver, dsn, openStore = "sqlite", disk.DSN(place), sqlstore.SQLite
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return registers{}, err
	}
	store, err := openStore(ctx, db)
	if err != nil {
		return registers{}, errors.Join(err, db.Close())
	}
	key, err := state.NewKey(make([]byte, state.KeySize))
	if err != nil {
		return registers{}, err
	}
	vault, err := state.Open[value](ctx, store, key, state.Options{})
	return registers{vault, func() error { return errors.Join(store.Close(), db.Close()) }}, err
}

// create stores all registers, with 0 in each.
func (s registers) create(t *testing.T) {
	for g := range groups {
		for r := range groupSize {
			v, err := state.New(registerID(g, r), register{}, register{}, register{})
			require.NoError(t, err)
			require.NoError(t, s.vault.Create(t.Context(), v, nil))
		}
	}
}

// do carries out a request; one that adds to several registers does so in one commit.
func (s registers) do(ctx context.Context, in Request) ([]uint64, error) {
	if !in.Adds {
		v, err := s.vault.Load(ctx, registerID(in.Group, in.Registers[0]))
		if err != nil {
			return nil, err
		}
		return []uint64{v.State().n}, nil
	}
	held, steps := make([]uint64, len(in.Registers)), make([]state.Step, len(in.Registers))
	for i, r := range in.Registers {
		steps[i] = s.vault.Updating(registerID(in.Group, r), func(tx *state.Tx[value]) error {
			held[i] = tx.Value().State().n
			tx.Set(raised(tx.Value(), held[i]+1))
			return nil
		})
	}
	return held, state.Batch(ctx, steps...)
}

// forgetful carries out a request that adds in two steps, so that updates are lost between them.
func (s registers) forgetful(ctx context.Context, in Request, between func()) ([]uint64, error) {
	id := registerID(in.Group, in.Registers[0])
	v, err := s.vault.Load(ctx, id)
	between()
	if err == nil {
		err = s.vault.Update(ctx, id, func(tx *state.Tx[value]) error {
			tx.Set(raised(tx.Value(), v.State().n+1))
			return nil
		})
	}
	return []uint64{v.State().n}, err
}

func raised(v value, n uint64) value {
	return v.WithState(register{n}).WithTemplate(register{n}).WithEvals(register{n})
}
