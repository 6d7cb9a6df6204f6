package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"

	"github.com/trefoil-im/trefoil/attachment"
	"github.com/trefoil-im/trefoil/relay/api"
)

// Files is where files come from and go.
type Files interface {
	Open(name string) (io.ReadCloser, error)
	// Create makes a file that is not there yet. The name came from somebody else, and is one without directories.
	Create(name string) (io.WriteCloser, error)
}

// maxFile is the longest file in bytes, 64 MiB: this program keeps the encrypted file in memory. Package attachment need not.
const maxFile = 64 << 20

// sealed is what a message says of a file: where its blob lies at the server, and the key to it, which the server does not see.
type sealed struct {
	Name string          `json:"name"`
	Blob api.BlobAddress `json:"blob"`
	Ref  []byte          `json:"ref"` // attachment.Ref
}

var errNoFiles = errors.New("there are no files here")

// file sends a file: its blob to the server, and then the key to it into the chat.
func (a *App) file(ctx context.Context, name string) error {
	if a.o.Files == nil {
		return errNoFiles
	}
	f, err := a.o.Files.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	var blob bytes.Buffer
	ref, err := attachment.Seal(&blob, io.LimitReader(f, maxFile+1))
	if err != nil {
		return err
	}
	if ref.Size() > maxFile {
		return fmt.Errorf("a file has up to %d bytes", maxFile)
	}
	address, err := a.line.Blobs.Upload(ctx, bytes.NewReader(blob.Bytes()), int64(blob.Len()))
	if err != nil {
		return err
	}
	return a.send(ctx, body{File: &sealed{path.Base(name), address, ref.Marshal()}})
}

// received notes a file that came, and returns the line that says so.
func (a *App) received(f sealed) string {
	ref, err := attachment.Parse(f.Ref)
	if err != nil {
		return "a file that this program does not understand"
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.came = append(a.came, f)
	return fmt.Sprintf("file %d: %.100q, %d bytes", len(a.came), f.Name, ref.Size())
}

// get saves a file that came.
func (a *App) get(ctx context.Context, number string) error {
	if a.o.Files == nil {
		return errNoFiles
	}
	a.mu.Lock()
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(a.came) {
		a.mu.Unlock()
		return errors.New("no such file came")
	}
	f := a.came[n-1]
	a.mu.Unlock()
	ref, err := attachment.Parse(f.Ref)
	if err != nil {
		return err
	}
	blob, err := a.line.Blobs.Open(ctx, f.Blob)
	if err != nil {
		return err
	}
	out, err := a.o.Files.Create(path.Base(path.Clean("/" + f.Name)))
	if err != nil {
		return err
	}
	err = ref.Decrypt(out, blob)
	if err = errors.Join(err, out.Close()); err == nil {
		a.show("saved %.100q", f.Name)
	}
	return err
}
