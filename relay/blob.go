package relay

import (
	"context"
	"crypto/sha256"
	"encoding"
	"fmt"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

// Blobs stores attachments, each under its digest. Whoever knows the address may read the bytes; to open them takes a key, which the
// relay does not have.
type Blobs struct{ b base }

type blobRow struct {
	Owner    key.Address
	Address  api.BlobAddress
	Size     int64
	Received int64
	Digest   []byte // the state of SHA-256 after Received bytes
	At       int64
}

type chunkRow struct {
	Owner   key.Address
	Address api.BlobAddress
	Start   int64
	Data    []byte
}

type storageRow struct {
	Person key.Address
	Size   int64
}

func (r *blobRow) fields() []any {
	return []any{&r.Owner, &r.Address, &r.Size, &r.Received, &r.Digest, &r.At}
}
func (r *chunkRow) fields() []any   { return []any{&r.Owner, &r.Address, &r.Start, &r.Data} }
func (r *storageRow) fields() []any { return []any{&r.Person, &r.Size} }

var (
	blobs   = table[blobRow, *blobRow]{store.Blobs}
	chunks  = table[chunkRow, *chunkRow]{store.Chunks}
	storage = table[storageRow, *storageRow]{store.Storage}
)

// blobOverhead is what a blob counts for beside its bytes, so that short ones are not for free.
const blobOverhead = 1 << 10

// Start begins the upload of a blob of 1 to MaxBlob bytes, or goes on with one. It returns how many bytes were received: Append
// goes on there; size if the blob is complete. It returns ErrExists if the person has begun this blob with another size, and
// ErrQuota if its blobs would take more than Options.Storage.
func (b *Blobs) Start(ctx context.Context, device api.DeviceID, address api.BlobAddress, size int64) (received int64, err error) {
	if size <= 0 || size > api.MaxBlob {
		return 0, fmt.Errorf("%w: a blob has 1 to %d bytes", api.ErrMalformed, int64(api.MaxBlob))
	}
	err = b.b.store.Update(ctx, func(tx store.Tx) error {
		by, err := caller(tx, device)
		if err != nil {
			return err
		}
		row, found, err := blobs.get(tx, by.Person, address)
		if err != nil || found {
			if err == nil && row.Size != size {
				err = fmt.Errorf("%w: the blob has %d bytes", api.ErrExists, row.Size)
			}
			received = row.Received
			return err
		}
		used, _, err := storage.get(tx, by.Person)
		if err != nil {
			return err
		}
		if used.Size+size+blobOverhead > b.b.o.Storage {
			return fmt.Errorf("%w: blobs", api.ErrQuota)
		}
		digest, err := sha256.New().(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			return err
		}
		if err := storage.put(tx, storageRow{by.Person, used.Size + size + blobOverhead}); err != nil {
			return err
		}
		received = 0
		return blobs.insert(tx, blobRow{by.Person, address, size, 0, digest, b.b.now()})
	})
	return received, err
}

// Append adds a piece of a blob that Start has begun, ChunkSize bytes or up to its end. It returns how many were received, all
// of which are durable then. The piece before again is no error; another place is a *StaleError with how many were received. If
// the last piece does not complete the blob with its digest, all of it is dropped, and the error is ErrUnverified.
func (b *Blobs) Append(ctx context.Context, device api.DeviceID, address api.BlobAddress, start int64, data []byte) (received int64, err error) {
	mismatch := false
	err = b.b.store.Update(ctx, func(tx store.Tx) error {
		mismatch = false
		by, err := caller(tx, device)
		if err != nil {
			return err
		}
		row, found, err := blobs.get(tx, by.Person, address)
		if err != nil || !found {
			return or(err, api.ErrNotFound, "no such upload")
		}
		received = row.Received
		switch {
		case start < 0 || start > row.Size || int64(len(data)) != min(api.ChunkSize, row.Size-start) || len(data) == 0:
			return fmt.Errorf("%w: length of a piece", api.ErrMalformed)
		case start%api.ChunkSize == 0 && start+int64(len(data)) == row.Received:
			return nil // once more
		case start != row.Received:
			return &api.StaleError{Current: uint64(row.Received)}
		}
		sum, err := row.add(data)
		if err != nil {
			return err
		}
		received = row.Received
		if row.Received == row.Size && sum != address {
			mismatch = true
			return removeBlob(tx, row)
		}
		if err := chunks.insert(tx, chunkRow{by.Person, address, start, data}); err != nil {
			return err
		}
		return blobs.put(tx, row)
	})
	if err == nil && mismatch {
		return 0, fmt.Errorf("%w: the blob has another digest", api.ErrUnverified)
	}
	return received, err
}

// add counts a piece and takes it into the digest, which it returns.
func (r *blobRow) add(data []byte) (api.BlobAddress, error) {
	h := sha256.New()
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(r.Digest); err != nil {
		return api.BlobAddress{}, err
	}
	h.Write(data)
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	r.Digest, r.Received = state, r.Received+int64(len(data))
	return api.BlobAddress(h.Sum(nil)), err
}

// Read returns the piece of a complete blob that holds the byte at a place, from there on: up to ChunkSize bytes; and the size of
// the blob. It returns ErrNotFound if there is no complete blob of this address, or it is not so long.
func (b *Blobs) Read(ctx context.Context, device api.DeviceID, address api.BlobAddress, start int64) (data []byte, size int64, err error) {
	err = b.b.store.View(ctx, func(r store.Reader) error {
		if _, err := caller(r, device); err != nil {
			return err
		}
		rows, err := blobs.scan(r, batch, "address", address)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row.Received < row.Size || start < 0 || start >= row.Size {
				continue
			}
			c, _, err := chunks.get(r, row.Owner, address, start/api.ChunkSize*api.ChunkSize)
			if err == nil {
				data, size = c.Data[start%api.ChunkSize:], row.Size
			}
			return err
		}
		return fmt.Errorf("%w: blob", api.ErrNotFound)
	})
	return data, size, err
}

// removeBlob removes a blob and gives its room back.
func removeBlob(tx store.Tx, row blobRow) error {
	var pieces []chunkRow // by their places: their data need not be read
	for start := int64(0); start < row.Received; start += api.ChunkSize {
		pieces = append(pieces, chunkRow{Owner: row.Owner, Address: row.Address, Start: start})
	}
	if err := chunks.remove(tx, pieces...); err != nil {
		return err
	}
	used, _, err := storage.get(tx, row.Owner)
	if err != nil {
		return err
	}
	if err := storage.put(tx, storageRow{row.Owner, max(used.Size-row.Size-blobOverhead, 0)}); err != nil {
		return err
	}
	return blobs.remove(tx, row)
}

// sweepBlobs removes a blob that is too old.
func (b base) sweepBlobs(tx store.Tx) (int, bool, error) {
	rows, err := blobs.scan(tx, 1, "at")
	if err != nil || len(rows) == 0 || rows[0].At >= b.now()-api.BlobKeep.Milliseconds() {
		return 0, false, err
	}
	return 1, true, removeBlob(tx, rows[0])
}
