// Package faultdisk puts a disk that fails under SQLite, for tests: real SQLite, real files, and
// errors, short writes, failed syncs and power cuts where a test wants them.
//
// It registers a VFS of its own in front of SQLite's. Files below a directory that New was called for
// go through it; all others are left alone. What it models of a disk is what a kernel promises, and no
// more: a write is durable once a sync of its file returned without an error. Of the writes before
// that, a power cut keeps any (a write of several sectors in part); after a sync that failed, those
// that it did not bring to the disk are forgotten, and the next sync does not try again.
//
// Not modelled: directories (a file is there from its first sync on, and gone with its deletion),
// writes to the -shm file, which no power cut keeps, and a disk that lies about its syncs.
package faultdisk
