package disktest

import (
	"bytes"
	"fmt"
	"sync"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// The driver is SQLite translated to Go. Its memory lies outside the heap and is addressed by uintptr; its function
// pointers are pointers to Go's function values.

// The functions of SQLite that are replaced (https://sqlite.org/c3ref/io_methods.html).
type (
	openFunc     = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32
	deleteFunc   = func(tls *libc.TLS, vfs, name uintptr, syncDir int32) int32
	closeFunc    = func(tls *libc.TLS, file uintptr) int32
	transferFunc = func(tls *libc.TLS, file, buffer uintptr, n int32, offset int64) int32
	truncateFunc = func(tls *libc.TLS, file uintptr, size int64) int32
	syncFunc     = func(tls *libc.TLS, file uintptr, flags int32) int32
)

// at returns SQLite's object at an address.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// function returns the Go function behind one of SQLite's function pointers.
func function[F any](pointer uintptr) F { return *(*F)(unsafe.Pointer(&pointer)) }

// pointer returns the function pointer of a Go function that lives as long as the process.
func pointer[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

// duplicate returns a copy of one of SQLite's objects, in SQLite's memory. It is never freed.
func duplicate[T any](tls *libc.TLS, v *T) (address uintptr, copied *T) {
	if address = lib.Xsqlite3_malloc(tls, int32(unsafe.Sizeof(*v))); address == 0 {
		panic("disktest: out of memory")
	}
	copied = at[T](address)
	*copied = *v
	return address, copied
}

// file is an open file of a disk.
type file struct {
	disk    *Disk
	name    string
	system  *lib.Tsqlite3_io_methods // the operating system's functions
	newName bool                     // its first sync makes its name durable, too
}

// registry knows the disks and files by the addresses under which SQLite hands them to a VFS.
var registry = struct {
	sync.Mutex
	system  *lib.Tsqlite3_vfs
	disks   map[uintptr]*Disk
	files   map[uintptr]*file
	methods map[uintptr]uintptr // tables of functions, by the table of the operating system for which each stands
}{
	disks:   make(map[uintptr]*Disk),
	files:   make(map[uintptr]*file),
	methods: make(map[uintptr]uintptr),
}

// register makes the disk known to SQLite: a copy of the default VFS with another name and two other functions.
func (d *Disk) register() error {
	registry.Lock()
	defer registry.Unlock()
	tls := libc.NewTLS()
	defer tls.Close()
	if registry.system == nil {
		registry.system = at[lib.Tsqlite3_vfs](lib.Xsqlite3_vfs_find(tls, 0))
	}
	d.name = fmt.Sprintf("disktest%d", len(registry.disks))
	name, err := libc.CString(d.name)
	if err != nil {
		return err
	}
	address, vfs := duplicate(tls, registry.system)
	vfs.FzName = name
	vfs.FxOpen = pointer[openFunc](open)
	vfs.FxDelete = pointer[deleteFunc](remove)
	if rc := lib.Xsqlite3_vfs_register(tls, address, 0); rc != lib.SQLITE_OK {
		return fmt.Errorf("disktest: registration of a VFS failed with %d", rc)
	}
	registry.disks[address] = d
	return nil
}

func diskAt(vfs uintptr) *Disk {
	registry.Lock()
	defer registry.Unlock()
	return registry.disks[vfs]
}

func fileAt(address uintptr) *file {
	registry.Lock()
	defer registry.Unlock()
	return registry.files[address]
}

// watched are the files whose operations are seen: databases and their logs, which all have a name.
const watched = lib.SQLITE_OPEN_MAIN_DB | lib.SQLITE_OPEN_MAIN_JOURNAL | lib.SQLITE_OPEN_SUPER_JOURNAL | lib.SQLITE_OPEN_WAL

func open(tls *libc.TLS, vfs, name, address uintptr, flags int32, outFlags uintptr) int32 {
	system := func(int) int32 {
		return function[openFunc](registry.system.FxOpen)(tls, vfs, name, address, flags, outFlags)
	}
	if name == 0 || flags&watched == 0 {
		return system(0)
	}
	d, path := diskAt(vfs), libc.GoString(name)
	creates := flags&lib.SQLITE_OPEN_CREATE != 0 && missing(path)
	var rc int32
	if creates {
		rc = d.do(Op{Kind: Create, File: base(path)}, system)
	} else {
		rc = system(0)
	}
	if rc == lib.SQLITE_OK {
		// The VFS of Unix syncs the directory with the first sync of a new log, and never for the database itself.
		watch(tls, address, &file{disk: d, name: base(path), newName: creates && flags&lib.SQLITE_OPEN_MAIN_DB == 0})
	} else {
		at[lib.Tsqlite3_file](address).FpMethods = 0 // tells SQLite that there is nothing to close
	}
	return rc
}

// watch puts our functions between SQLite and an open file.
func watch(tls *libc.TLS, address uintptr, f *file) {
	registry.Lock()
	defer registry.Unlock()
	handle := at[lib.Tsqlite3_file](address)
	table := handle.FpMethods
	f.system = at[lib.Tsqlite3_io_methods](table)
	if registry.methods[table] == 0 {
		address, methods := duplicate(tls, f.system)
		methods.FxClose = pointer[closeFunc](closeFile)
		methods.FxRead = pointer[transferFunc](read)
		methods.FxWrite = pointer[transferFunc](write)
		methods.FxTruncate = pointer[truncateFunc](truncate)
		methods.FxSync = pointer[syncFunc](syncFile)
		registry.methods[table] = address
	}
	handle.FpMethods = registry.methods[table]
	registry.files[address] = f
}

func remove(tls *libc.TLS, vfs, name uintptr, syncDir int32) int32 {
	op := Op{Kind: Delete, File: base(libc.GoString(name)), Dir: syncDir != 0}
	return diskAt(vfs).do(op, func(int) int32 {
		return function[deleteFunc](registry.system.FxDelete)(tls, vfs, name, syncDir)
	})
}

func closeFile(tls *libc.TLS, address uintptr) int32 {
	registry.Lock()
	f := registry.files[address]
	delete(registry.files, address)
	registry.Unlock()
	return function[closeFunc](f.system.FxClose)(tls, address)
}

func read(tls *libc.TLS, address, buffer uintptr, n int32, offset int64) int32 {
	f := fileAt(address)
	return f.disk.do(Op{Kind: Read, File: f.name, Offset: offset}, func(int) int32 {
		return function[transferFunc](f.system.FxRead)(tls, address, buffer, n, offset)
	})
}

func write(tls *libc.TLS, address, buffer uintptr, n int32, offset int64) int32 {
	f := fileAt(address)
	data := bytes.Clone(unsafe.Slice(at[byte](buffer), n))
	return f.disk.do(Op{Kind: Write, File: f.name, Offset: offset, Data: data}, func(n int) int32 {
		return function[transferFunc](f.system.FxWrite)(tls, address, buffer, int32(n), offset)
	})
}

func truncate(tls *libc.TLS, address uintptr, size int64) int32 {
	f := fileAt(address)
	return f.disk.do(Op{Kind: Truncate, File: f.name, Offset: size}, func(int) int32 {
		return function[truncateFunc](f.system.FxTruncate)(tls, address, size)
	})
}

func syncFile(tls *libc.TLS, address uintptr, flags int32) int32 {
	f := fileAt(address)
	rc := f.disk.do(Op{Kind: Sync, File: f.name, Dir: f.newName}, func(int) int32 {
		return function[syncFunc](f.system.FxSync)(tls, address, flags)
	})
	f.newName = f.newName && rc != lib.SQLITE_OK
	return rc
}
