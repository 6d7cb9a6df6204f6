package trefoil_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
	"github.com/trefoil-im/trefoil/state/store"
)

// chat is a whole chat program with a history, in at most 100 lines with its imports: commands come line by line, and each is
// answered with a line.
func chat(ctx context.Context, line trefoil.Transport, name, file string) {
	db := must(sql.Open("sqlite", file))
	must(db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS history (id TEXT PRIMARY KEY, body TEXT NOT NULL)"))
	key := must(state.NewKey([]byte("thirty-two bytes of a secret key")))
	c := must(trefoil.Open(ctx, must(sqlstore.SQLite(ctx, db)), key, line, trefoil.Options{Profile: []byte(name), InCommit: history}))
	go c.Run(ctx)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var space trefoil.Space
		for s, err := range c.Spaces(ctx) {
			space = must(s, err)
		}
		command, rest, _ := strings.Cut(in.Text(), " ")
		fmt.Println(obey(ctx, c, space, db, command, rest))
	}
}

func obey(ctx context.Context, c *trefoil.Client, space trefoil.Space, db *sql.DB, command, rest string) string {
	switch command {
	case "new":
		must(c.NewSpace(ctx))
	case "invite":
		return must(must(space.Invite(ctx, invite.Private(0))).Link.URL("https://chat.example/join"))
	case "join":
		must(c.Join(ctx, rest))
	case "send":
		return must(space.Send(ctx, []byte(rest))).String()
	case "leave":
		must(0, space.Leave(ctx))
	case "remove":
		must(0, space.Remove(ctx, placeOf(ctx, space, rest)))
	case "without": // until somebody is no member any more
		for placeOf(ctx, space, rest) != 0 {
			time.Sleep(5 * time.Millisecond)
		}
	case "removed": // until this device is told
		for must(space.Status(ctx)).Phase != ratchet.Removed {
			time.Sleep(5 * time.Millisecond)
		}
	case "wait": // until the history has so many lines
		for want, n := must(strconv.Atoi(rest)), 0; n < want; time.Sleep(5 * time.Millisecond) {
			must(0, db.QueryRowContext(ctx, "SELECT count(*) FROM history").Scan(&n))
		}
	}
	return "ok"
}

// placeOf returns the place of the member of a name, 0 for nobody.
func placeOf(ctx context.Context, s trefoil.Space, name string) dkg.Index {
	for _, m := range must(s.Members(ctx)) {
		if string(m.Profile) == name {
			return m.Index
		}
	}
	return 0
}

// history writes messages into the program's own table, in the commit that takes them out of the vault.
func history(e trefoil.Event) store.Hook {
	m, ok := e.(trefoil.Message)
	if !ok {
		return nil
	}
	return sqlstore.Rows(func(ctx context.Context, tx *sqlstore.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO history (id, body) VALUES (?, ?)", m.ID.String(), string(m.Body))
		return err
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
