package trefoil_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
	"github.com/trefoil-im/trefoil/state/store"
	_ "modernc.org/sqlite"
)

// chat is a whole chat program with a history, in at most 100 lines with its imports: commands come line by line, and each is
// answered with a line.
func chat(ctx context.Context, line socket, name, file string, o trefoil.Options) {
	db := must(sql.Open("sqlite", file))
	must(db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS history (id TEXT PRIMARY KEY, body TEXT); CREATE TABLE IF NOT EXISTS digits (digits TEXT)"))
	key := must(state.NewKey([]byte("thirty-two bytes of a secret key")))
	o.Profile, o.Directory, o.InCommit = []byte(name), line, history
	c := must(trefoil.Open(ctx, must(sqlstore.SQLite(ctx, db)), key, line, o))
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

func obey(ctx context.Context, c *trefoil.Client, space trefoil.Space, db *sql.DB, command, rest string) (answer string) {
	switch command {
	case "new":
		must(c.NewPerson(ctx))
		must(c.NewSpace(ctx))
	case "invite":
		answer = must(must(space.Invite(ctx, invite.Private(0))).Link.URL("https://chat.example/join"))
	case "join":
		must(c.Join(ctx, rest))
	case "link":
		answer = must(c.LinkDevice(ctx))
	case "accept":
		must(0, c.AcceptDevice(ctx, rest))
	case "digits":
		must(0, db.QueryRowContext(ctx, "SELECT coalesce(max(digits), '') FROM digits").Scan(&answer))
	case "confirm":
		must(0, c.ConfirmDevice(ctx, rest))
	case "person":
		answer = fmt.Sprint(c.Person(ctx))
	case "send":
		answer = must(space.Send(ctx, []byte(rest))).String()
	case "leave":
		must(0, space.Leave(ctx))
	case "remove":
		for _, m := range must(space.Members(ctx)) {
			if string(m.Profile) == rest {
				must(0, space.Remove(ctx, m.Index))
			}
		}
	case "members": // each device by its name and its person
		for _, m := range must(space.Members(ctx)) {
			answer += fmt.Sprintf("%s/%x ", m.Profile, m.Person.Bytes())
		}
	case "count":
		must(0, db.QueryRowContext(ctx, "SELECT count(*) FROM history").Scan(&answer))
	}
	return answer
}

// history writes messages and digits into the program's own tables, in the commit that takes them out of the vault.
func history(e event.Event) store.Hook {
	insert, values := "INSERT INTO history (id, body) VALUES (?, ?)", []any(nil)
	switch e := e.(type) {
	case event.Message:
		values = []any{e.ID.String(), string(e.Body)}
	case event.LinkDigits:
		insert, values = "INSERT INTO digits (digits) VALUES (?)", []any{e.Digits}
	default:
		return nil
	}
	return sqlstore.Rows(func(ctx context.Context, tx *sqlstore.Tx) error {
		_, err := tx.ExecContext(ctx, insert, values...)
		return err
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
