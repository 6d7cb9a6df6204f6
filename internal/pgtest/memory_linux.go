package pgtest

import "syscall"

// memory returns a directory of a file system in memory that has room for clusters, or "". A cluster is a thousand small files,
// which a disk's file system is slow to make and remove.
func memory() string {
	const dir, room = "/dev/shm", 1 << 30
	var fs syscall.Statfs_t
	if syscall.Statfs(dir, &fs) != nil || fs.Bavail*uint64(fs.Bsize) < room || syscall.Access(dir, 2) != nil {
		return ""
	}
	return dir
}
