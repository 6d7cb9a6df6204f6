package client_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/attachment"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/client"
	"github.com/trefoil-im/trefoil/relay/httprelay"
	relaystore "github.com/trefoil-im/trefoil/relay/store"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// startRelay is the server: a relay in memory. A real one has its tables in package sqlrelay.
func startRelay() *httptest.Server {
	server := httptest.NewUnstartedServer(nil)
	r := relay.New(relaystore.NewMemory(), relay.Options{Name: server.Listener.Addr().String()}) // host and port, as devices know them
	server.Config.Handler = httprelay.New(r, httprelay.Options{})
	server.Start()
	return server
}

// open is a device: a client, and its line to the relay.
func open(ctx context.Context, url, name string) (*trefoil.Client, *client.Client) {
	line := ok(client.New(client.Options{URL: url, NoPush: true}))
	key := make([]byte, 32) // of a real program: from the platform's key store
	rand.Read(key)
	c := ok(trefoil.Open(ctx, store.NewMemory(), ok(state.NewKey(key)), line, trefoil.Options{
		Directory: line,
		Handle: func(_ context.Context, e trefoil.Event) error {
			if m, is := e.(trefoil.Message); is && !m.Own {
				fmt.Printf("%s reads: %s\n", name, m.Body)
			}
			return nil
		},
	}))
	ok(c.NewPerson(ctx)) // the relay lets in devices of persons only
	return c, line
}

// Two devices write to each other in a space, over a relay.
func Example() {
	ctx, server := context.Background(), startRelay()
	defer server.Close()
	ann, _ := open(ctx, server.URL, "Ann")
	bob, _ := open(ctx, server.URL, "Bob")
	space := ok(ann.NewSpace(ctx))
	made := ok(space.Invite(ctx, invite.Private(0)))
	joined := ok(bob.Join(ctx, ok(made.Link.URL("https://chat.example/join"))))
	ok(joined.Send(ctx, []byte("hello Ann")))
	for range 3 { // a program has Run in a goroutine instead
		succeed(bob.Sync(ctx))
		succeed(ann.Sync(ctx))
	}
	// Output: Ann reads: hello Ann
}

// A file goes to the relay as a blob. Its reference, which holds the key, and the address of the blob go into a message.
func ExampleBlobs() {
	ctx, server := context.Background(), startRelay()
	defer server.Close()
	ann, annLine := open(ctx, server.URL, "Ann")
	bob, bobLine := open(ctx, server.URL, "Bob")
	succeed(ann.Sync(ctx)) // publishes the persons, which the relay knows then
	succeed(bob.Sync(ctx))

	var blob bytes.Buffer // of a large file: a file, so that an upload can go on after a restart
	ref := ok(attachment.Seal(&blob, strings.NewReader(strings.Repeat("a photo of a knot ", 50_000))))
	address, size := api.BlobAddress(sha256.Sum256(blob.Bytes())), int64(blob.Len())
	at := ok(annLine.Blobs.Start(ctx, address, size)) // where an upload before has ended, 0 at first
	for at < size {
		at = ok(annLine.Blobs.Append(ctx, address, at, blob.Bytes()[at:min(at+api.ChunkSize, size)]))
	}
	message := append(address[:], ref.Marshal()...) // for Space.Send or Direct.Send

	got := ok(attachment.Parse(message[len(address):]))
	var file bytes.Buffer
	source := &download{ctx, bobLine.Blobs, api.BlobAddress(message[:len(address)]), 0}
	succeed(got.Decrypt(&file, bufio.NewReaderSize(source, api.ChunkSize))) // the relay gives a piece at a time
	fmt.Println(file.Len(), "bytes:", file.String()[:17])
	// Output: 900000 bytes: a photo of a knot
}

// download reads a blob in order.
type download struct {
	ctx     context.Context
	blobs   *client.Blobs
	address api.BlobAddress
	at      int64
}

func (d *download) Read(b []byte) (int, error) {
	data, _, err := d.blobs.Read(d.ctx, d.address, d.at)
	if errors.Is(err, api.ErrNotFound) && d.at > 0 {
		return 0, io.EOF // nothing is left behind this place
	}
	n := copy(b, data)
	d.at += int64(n)
	return n, err
}

func ok[T any](v T, err error) T {
	succeed(err)
	return v
}

func succeed(err error) {
	if err != nil {
		panic(err)
	}
}
