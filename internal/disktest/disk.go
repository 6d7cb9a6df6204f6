package disktest

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	lib "modernc.org/sqlite/lib"
)

// Kind is a kind of operation on a file.
type Kind uint8

// The kinds. All but Read change what is stored, or how durable it is.
const (
	Read Kind = iota
	Create
	Write
	Truncate
	Sync
	Delete
)

// String returns the kind's name in lower case.
func (k Kind) String() string {
	return [...]string{"read", "create", "write", "truncate", "sync", "delete"}[k]
}

// Op is one operation on a file.
type Op struct {
	Kind   Kind
	File   string // base name
	Offset int64  // of a Read or Write in bytes; of a Truncate the new size
	Data   []byte // of a Write
	Dir    bool   // this Sync or Delete makes the names in the directory durable, too
}

// String describes the operation without its data.
func (o Op) String() string {
	return fmt.Sprintf("%s %s at %d, %d bytes", o.Kind, o.File, o.Offset, len(o.Data))
}

// Fault says how an operation fails.
type Fault uint8

// The ways to fail.
const (
	None     Fault = iota // it is carried out
	Broken                // SQLite is told of an I/O error; nothing was done
	Full                  // a Write is not done because the disk is full; for other operations like Broken
	Half                  // half of a Write is done, then SQLite is told that the disk is full; otherwise like Broken
	Ignored               // SQLite is told that it was done; nothing was done
	Kill                  // the process ends before the operation, as by SIGKILL
	KillHalf              // half of a Write is done, and the process ends; otherwise like Kill
)

// Disk is a VFS of SQLite. It is safe for concurrent use and carries out one operation at a time.
type Disk struct {
	name string // of the VFS

	mu     sync.Mutex
	decide func(Op) Fault
	trace  Trace
	record bool
}

// New registers a disk on which every operation is first shown to decide; nil lets all pass. decide is asked for one
// operation at a time and must not call the disk. A disk stays registered for the life of the process, as SQLite's own do.
func New(decide func(Op) Fault) (*Disk, error) {
	d := &Disk{decide: decide}
	return d, d.register()
}

// DSN returns the data source name, for the driver "sqlite", of the database at path on the disk. The path must not
// contain one of "?#%".
func (d *Disk) DSN(path string, pragmas ...string) string {
	return "file:" + path + "?" + url.Values{"vfs": {d.name}, "_pragma": pragmas}.Encode()
}

// Decide replaces the function that is asked before every operation.
func (d *Disk) Decide(decide func(Op) Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.decide = decide
}

// Record begins to record what is carried out.
func (d *Disk) Record() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.record = true
}

// Trace returns what was recorded so far. It must not be changed.
func (d *Disk) Trace() Trace {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.trace[:len(d.trace):len(d.trace)]
}

// results of SQLite for operations that fail.
var broken = map[Kind]int32{
	Read:     lib.SQLITE_IOERR_READ,
	Create:   lib.SQLITE_CANTOPEN,
	Write:    lib.SQLITE_IOERR_WRITE,
	Truncate: lib.SQLITE_IOERR_TRUNCATE,
	Sync:     lib.SQLITE_IOERR_FSYNC,
	Delete:   lib.SQLITE_IOERR_DELETE,
}

// do carries out an operation or lets it fail. The function carries out the first n bytes of a Write, or the whole of
// another operation, and returns SQLite's result.
func (d *Disk) do(op Op, carryOut func(n int) int32) int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	fault := None
	if d.decide != nil {
		fault = d.decide(op)
	}
	if half := len(op.Data) / 2; half > 0 && (fault == Half || fault == KillHalf) {
		carryOut(half)
		d.note(Op{Kind: Write, File: op.File, Offset: op.Offset, Data: op.Data[:half]})
	}
	switch fault {
	case Kill, KillHalf:
		kill()
	case Full, Half:
		if op.Kind == Write {
			return lib.SQLITE_FULL
		}
		return broken[op.Kind]
	case Ignored:
		return lib.SQLITE_OK
	case Broken:
		return broken[op.Kind]
	}
	result := carryOut(len(op.Data))
	if result == lib.SQLITE_OK {
		d.note(op)
	}
	return result
}

func (d *Disk) note(op Op) {
	if d.record && op.Kind != Read {
		d.trace = append(d.trace, op)
	}
}

// kill ends this process without running anything more of it.
func kill() {
	p, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		panic("disktest: " + err.Error())
	}
	select {}
}

// missing reports whether there is no file of this name.
func missing(path string) bool {
	_, err := os.Lstat(path)
	return os.IsNotExist(err)
}

func base(path string) string { return filepath.Base(path) }
