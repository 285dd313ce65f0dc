package faultdisk

import (
	"errors"
	"path/filepath"
	"sync"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// SQLite calls these functions with nothing but addresses, so that what they need has to be found
// from the package.
var (
	disks    sync.Map // directory -> *Disk
	opened   sync.Map // address of an open file -> openFile
	original *lib.Tsqlite3_vfs
)

// openFile is a file that goes through a disk, and the methods that it had.
type openFile struct {
	disk    *Disk
	name    string
	methods *lib.Tsqlite3_io_methods
}

// pointer makes a pointer of an address outside of Go's memory.
func pointer[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) } //nolint:gosec // SQLite's memory

// function makes a function of what SQLite holds for one, and address goes the other way. Both rest
// on how the translator of SQLite represents C's function pointers.
func function[T any](p uintptr) T { return *(*T)(unsafe.Pointer(&p)) } //nolint:gosec // see above

func address[T any](f T) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) } //nolint:gosec // see above

// register makes our VFS the one that SQLite uses, once.
var register = sync.OnceValue(func() error {
	tls := libc.NewTLS()
	defer tls.Close()
	found := lib.Xsqlite3_vfs_find(tls, 0)
	size := libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_vfs{}))
	ours := libc.Xmalloc(tls, size)
	name, err := libc.CString("faultdisk")
	if found == 0 || ours == 0 || err != nil {
		return errors.Join(errors.New("faultdisk: no VFS to build on"), err)
	}
	original = pointer[lib.Tsqlite3_vfs](found)
	vfs := pointer[lib.Tsqlite3_vfs](ours)
	*vfs = *original
	vfs.FzName = name
	vfs.FxOpen = address(open)
	vfs.FxDelete = address(remove)
	if rc := lib.Xsqlite3_vfs_register(tls, ours, 1); rc != lib.SQLITE_OK {
		return errors.New("faultdisk: SQLite did not take the VFS")
	}
	return nil
})

func diskOf(name string) *Disk {
	d, ok := disks.Load(filepath.Dir(name))
	if !ok {
		return nil
	}
	return d.(*Disk) //nolint:errcheck,forcetypeassert // nothing else is stored
}

func open(tls *libc.TLS, vfs, path, file uintptr, flags int32, outFlags uintptr) int32 {
	rc := function[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](original.FxOpen)(tls, vfs, path, file, flags, outFlags)
	f := pointer[lib.Tsqlite3_file](file)
	if rc != lib.SQLITE_OK || path == 0 || f.FpMethods == 0 {
		return rc
	}
	name := libc.GoString(path)
	d := diskOf(name)
	if d == nil {
		return rc
	}
	of := openFile{d, name, pointer[lib.Tsqlite3_io_methods](f.FpMethods)}
	ours := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_io_methods{})))
	if ours == 0 {
		return lib.SQLITE_NOMEM
	}
	m := pointer[lib.Tsqlite3_io_methods](ours)
	*m = *of.methods
	m.FxClose = address(closeFile)
	m.FxRead = address(read)
	m.FxWrite = address(write)
	m.FxTruncate = address(truncate)
	m.FxSync = address(syncFile)
	opened.Store(file, of)
	f.FpMethods = ours
	return rc
}

func fileOf(file uintptr) openFile {
	f, _ := opened.Load(file)
	return f.(openFile) //nolint:errcheck,forcetypeassert // it is there from open to close
}

func closeFile(tls *libc.TLS, file uintptr) int32 {
	f := fileOf(file)
	opened.Delete(file)
	ours := pointer[lib.Tsqlite3_file](file).FpMethods
	rc := function[func(*libc.TLS, uintptr) int32](f.methods.FxClose)(tls, file)
	libc.Xfree(tls, ours)
	return rc
}

func read(tls *libc.TLS, file, buf uintptr, n int32, at int64) int32 {
	f := fileOf(file)
	f.disk.mu.Lock()
	fault := f.disk.fault(Read, f.name)
	f.disk.mu.Unlock()
	if fault != None {
		return fault.code(Read)
	}
	return function[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](f.methods.FxRead)(tls, file, buf, n, at)
}

func write(tls *libc.TLS, file, buf uintptr, n int32, at int64) int32 {
	f := fileOf(file)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	fault := f.disk.fault(Write, f.name)
	if fault == EIO || fault == Full {
		return fault.code(Write)
	}
	if fault == Short {
		n = int32(f.disk.random.IntN(int(n)))
	}
	rc := int32(lib.SQLITE_OK)
	if n > 0 {
		rc = function[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](f.methods.FxWrite)(tls, file, buf, n, at)
	}
	if rc != lib.SQLITE_OK {
		return rc
	}
	f.disk.write(f.name, libc.GoBytes(buf, int(n)), at)
	if fault == Short {
		return fault.code(Write)
	}
	return rc
}

func truncate(tls *libc.TLS, file uintptr, size int64) int32 {
	f := fileOf(file)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if fault := f.disk.fault(Truncate, f.name); fault != None {
		return EIO.code(Truncate)
	}
	rc := function[func(*libc.TLS, uintptr, int64) int32](f.methods.FxTruncate)(tls, file, size)
	if rc == lib.SQLITE_OK {
		state := f.disk.file(f.name)
		state.pending = append(state.pending, change{size: size, cut: true})
	}
	return rc
}

func syncFile(_ *libc.TLS, file uintptr, _ int32) int32 {
	f := fileOf(file)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	fault := f.disk.fault(Sync, f.name)
	f.disk.sync(f.name, fault != None)
	if fault != None {
		return EIO.code(Sync)
	}
	// The real sync is left out: the disk of the test is the one of the model.
	return lib.SQLITE_OK
}

func remove(tls *libc.TLS, vfs, path uintptr, syncDir int32) int32 {
	name := libc.GoString(path)
	d := diskOf(name)
	if d == nil {
		return function[func(*libc.TLS, uintptr, uintptr, int32) int32](original.FxDelete)(tls, vfs, path, syncDir)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if fault := d.fault(Delete, name); fault != None {
		return EIO.code(Delete)
	}
	delete(d.files, name)
	return function[func(*libc.TLS, uintptr, uintptr, int32) int32](original.FxDelete)(tls, vfs, path, syncDir)
}
