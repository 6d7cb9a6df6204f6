package vaultkey

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"

	"github.com/trefoil-im/trefoil/internal/secret"
)

// Cost is the work of one Argon2id hash.
type Cost struct {
	Time    uint32 // passes over the memory, 1 to 64
	Memory  uint32 // KiB, 8 for each thread to 2,097,152
	Threads uint8  // lanes that are computed at once, at least 1
}

// DefaultCost is the second recommended option of RFC 9106, section 4, for machines with little memory: three passes over
// 64 MiB in four lanes.
var DefaultCost = Cost{Time: 3, Memory: 64 << 10, Threads: 4}

const (
	// maxTime and maxMemory bound what a hint can ask for, since it may have been altered: 2 GiB are the first recommended option of
	// RFC 9106.
	maxTime   = 64
	maxMemory = 2 << 20

	// hintFormat is the first byte of the hint of a passphrase. It is part of the stored format, as is the size of the salt, which
	// RFC 9106, section 3.1, recommends for hashing passwords.
	hintFormat = 1
	saltSize   = 16
	hintSize   = 1 + 4 + 4 + 1 + saltSize
)

// errHint is what FindKey returns for a hint that no passphrase has.
var errHint = errors.New("vaultkey: not the hint of a passphrase")

func (c Cost) check() error {
	if c.Time < 1 || c.Time > maxTime || c.Threads < 1 || c.Memory < 8*uint32(c.Threads) || c.Memory > maxMemory {
		return fmt.Errorf("vaultkey: Argon2id with time %d, memory %d KiB, threads %d is out of range", c.Time, c.Memory, c.Threads)
	}
	return nil
}

// passphrase derives a key by Argon2id.
type passphrase struct {
	secret secret.Bytes
	cost   Cost
}

// Passphrase returns the Provider of a key that is derived from a passphrase by Argon2id (RFC 9106, version 0x13), under a random
// salt of 16 bytes. The hint holds salt and cost, so that a vault opens whatever cost it was made with; cost is that of new
// keys. With DefaultCost a key takes 64 MiB and some tenths of a second.
//
// Argon2id makes guesses expensive, no more: a passphrase that somebody thinks of is guessed. A key store of the platform is better
// where there is one.
func Passphrase(phrase []byte, cost Cost) (Provider, error) {
	if len(phrase) == 0 {
		return nil, errors.New("vaultkey: an empty passphrase")
	}
	if err := cost.check(); err != nil {
		return nil, err
	}
	return passphrase{secret.New(phrase), cost}, nil
}

// NewKey implements Provider.
func (p passphrase) NewKey(ctx context.Context) (key, hint []byte, err error) {
	hint = make([]byte, 0, hintSize)
	hint = append(hint, hintFormat)
	hint = binary.BigEndian.AppendUint32(hint, p.cost.Time)
	hint = binary.BigEndian.AppendUint32(hint, p.cost.Memory)
	hint = append(hint, p.cost.Threads)
	salt := make([]byte, saltSize)
	rand.Read(salt)
	hint = append(hint, salt...)
	key, err = p.FindKey(ctx, hint)
	return key, hint, err
}

// FindKey implements Provider. It cannot be interrupted once it computes.
func (p passphrase) FindKey(ctx context.Context, hint []byte) ([]byte, error) {
	if len(hint) != hintSize || hint[0] != hintFormat {
		return nil, errHint
	}
	cost := Cost{Time: binary.BigEndian.Uint32(hint[1:]), Memory: binary.BigEndian.Uint32(hint[5:]), Threads: hint[9]}
	if err := cost.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", errHint, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return argon2.IDKey(bytes.Clone(p.secret.Expose()), hint[10:], cost.Time, cost.Memory, cost.Threads, Size), nil
}
