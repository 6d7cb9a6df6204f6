package trefoil_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
	"github.com/trefoil-im/trefoil/state/store"
)

// chatEnv names the relay, the device and its file to a process that is a chat program.
const chatEnv = "TREFOIL_TEST_CHAT"

func TestMain(m *testing.M) {
	if args := strings.Fields(os.Getenv(chatEnv)); len(args) == 3 {
		if err := chat(context.Background(), socket{args[0], args[1]}, args[2]); err != nil {
			fmt.Fprintln(os.Stderr, args[1], err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// chat is a whole chat program with a history: commands come line by line, and each is answered with a line.
func chat(ctx context.Context, line socket, file string) error {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS history (id TEXT PRIMARY KEY, body TEXT NOT NULL)"); err != nil {
		return err
	}
	s, err := sqlstore.SQLite(ctx, db)
	if err != nil {
		return err
	}
	key, err := state.NewKey([]byte("thirty-two bytes of a secret key"))
	if err != nil {
		return err
	}
	c, err := trefoil.Open(ctx, s, key, line, trefoil.Options{Profile: []byte(line.device), InCommit: history})
	if err != nil {
		return err
	}
	go c.Run(ctx)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		command, rest, _ := strings.Cut(in.Text(), " ")
		out, err := answerTo(ctx, c, db, command, rest)
		if err != nil {
			return err
		}
		fmt.Println(out)
	}
	return nil
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

func answerTo(ctx context.Context, c *trefoil.Client, db *sql.DB, command, rest string) (string, error) {
	var space trefoil.Space
	for s, err := range c.Spaces(ctx) {
		if err != nil {
			return "", err
		}
		space = s
	}
	switch command {
	case "new":
		_, err := c.NewSpace(ctx)
		return "ok", err
	case "invite":
		made, err := space.Invite(ctx, invite.Private(0))
		if err != nil {
			return "", err
		}
		return made.Link.URL("https://chat.example/join")
	case "join":
		_, err := c.Join(ctx, rest)
		return "ok", err
	case "send":
		id, err := space.Send(ctx, []byte(rest))
		return id.String(), err
	case "leave":
		return "ok", space.Leave(ctx)
	case "wait": // until the history has so many lines
		want, err := strconv.Atoi(rest)
		for n := 0; err == nil && n < want; time.Sleep(5 * time.Millisecond) {
			err = db.QueryRowContext(ctx, "SELECT count(*) FROM history").Scan(&n)
		}
		return "ok", err
	}
	return "", fmt.Errorf("no command: %s", command)
}
