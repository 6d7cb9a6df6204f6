// Backend is a chat server: the relay with its directory, conversations, mailboxes and files, over HTTP. It holds no key that opens
// anything.
//
//	go run ./examples/backend
//	go run ./examples/backend -listen :8080 -name chat.example -postgres "postgres://localhost/chat"
//
// It ends on an interrupt, when the requests under way were answered. Nothing that was answered is lost by ending it in any other way.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/httprelay"
	"github.com/trefoil-im/trefoil/relay/pgwake"
	"github.com/trefoil-im/trefoil/relay/sqlrelay"
)

// settings are what the command line says.
type settings struct {
	listen, name, sqlite, postgres, pages string
}

func main() {
	var s settings
	flag.StringVar(&s.listen, "listen", "localhost:8080", "where to listen; port 0 is any that is free")
	flag.StringVar(&s.name, "name", "", "host and port by which devices reach this server; by default where it listens")
	flag.StringVar(&s.sqlite, "sqlite", "backend.db", "the file with everything")
	flag.StringVar(&s.postgres, "postgres", "", "a database to use in place of the file; several servers may use one")
	flag.StringVar(&s.pages, "pages", "", "a directory of web pages to serve, too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := s.run(ctx, log); err != nil {
		log.Error("backend", "error", err)
		os.Exit(1)
	}
}

const (
	// sweepEvery is how often what has expired is removed.
	sweepEvery = 5 * time.Minute
	// headerTimeout is for how long a connection may take to say what it wants.
	headerTimeout = 10 * time.Second
	// patience is for how long requests under way are waited for at the end, and WebSockets, of which one whose device is slow to part
	// takes 10 s.
	patience = 30 * time.Second
)

// run serves until ctx ends.
func (s settings) run(ctx context.Context, log *slog.Logger) error {
	listener, err := net.Listen("tcp", s.listen)
	if err != nil {
		return err
	}
	if s.name == "" {
		s.name = nameOf(s.listen, listener)
	}
	r, closed, err := s.open(ctx, log)
	if err != nil {
		return err
	}
	defer closed()
	relayed := httprelay.New(r, httprelay.Options{Log: log})
	mux := http.NewServeMux()
	mux.Handle("/v1/", relayed)
	mux.Handle("/healthz", relayed)
	if s.pages != "" {
		mux.Handle("/", http.FileServer(http.Dir(s.pages)))
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	go sweep(ctx, r, log)
	fmt.Println("http://" + s.name)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return errors.Join(relayed.Shutdown(end), server.Shutdown(end))
}

// nameOf returns what devices on this machine call the server, with the port that it was given.
func nameOf(listen string, l net.Listener) string {
	host, _, _ := net.SplitHostPort(listen)
	if host == "" {
		host = "localhost"
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return net.JoinHostPort(host, port)
}

// open opens the relay on its database, whose tables it makes if there are none.
func (s settings) open(ctx context.Context, log *slog.Logger) (*relay.Relay, func(), error) {
	driver, place, make := "sqlite", s.sqlite, sqlrelay.SQLite
	if s.postgres != "" {
		driver, place, make = "pgx", s.postgres, sqlrelay.Postgres
	}
	db, err := sql.Open(driver, place)
	if err != nil {
		return nil, nil, err
	}
	rows, err := make(ctx, db)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	o := relay.Options{Name: s.name}
	closed := func() {
		rows.Close()
		db.Close()
	}
	if s.postgres == "" {
		return relay.New(rows, o), closed, nil
	}
	wakes := pgwake.New(db) // servers on one database tell each other whom to wake
	o.Woken = wakes.Tell
	r := relay.New(rows, o)
	go func() {
		err := wakes.Run(ctx, r.Wake)
		log.Info("no more wakes of others", "error", err)
	}()
	return r, closed, nil
}

// sweep removes what has expired, now and then.
func sweep(ctx context.Context, r *relay.Relay, log *slog.Logger) {
	for {
		swept, err := r.Sweep(ctx)
		log.Info("swept", "removed", swept, "error", err)
		select {
		case <-time.After(sweepEvery):
		case <-ctx.Done():
			return
		}
	}
}
