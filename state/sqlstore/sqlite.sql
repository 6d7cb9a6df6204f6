-- The schema on SQLite, version 1. It is part of the stored format: it is not edited after a release, a later version is
-- a script of its own that starts from here.
--
-- What comes after the line of dashes is there for every kind, with @ for its name and * for a column of each part, none of
-- which can be missing. What lies beside a row refers to it and goes when it goes. Only the frames are stored WITHOUT ROWID:
-- nearly all of them are a hash and a number, while the other rows are too long for the inside of a tree.

CREATE TABLE trefoil (
	one     INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
	version INTEGER NOT NULL
) STRICT;

--------

CREATE TABLE trefoil_@ (
	namespace TEXT    NOT NULL,
	id        BLOB    NOT NULL CHECK (length(id) = 32),
	version   INTEGER NOT NULL CHECK (version > 0),
	head      BLOB    NOT NULL,
	*         BLOB    NOT NULL,
	PRIMARY KEY (namespace, id)
) STRICT;

CREATE TABLE trefoil_@_segments (
	namespace TEXT NOT NULL,
	id        BLOB NOT NULL,
	path      BLOB NOT NULL,
	sealed    BLOB NOT NULL,
	PRIMARY KEY (namespace, id, path),
	FOREIGN KEY (namespace, id) REFERENCES trefoil_@ ON DELETE CASCADE
) STRICT;

CREATE TABLE trefoil_@_items (
	namespace TEXT    NOT NULL,
	id        BLOB    NOT NULL,
	queue     INTEGER NOT NULL CHECK (queue IN (1, 2)), -- outbox, inbox
	seq       INTEGER NOT NULL CHECK (seq > 0),
	lane      INTEGER NOT NULL CHECK (lane >= 0),
	sealed    BLOB    NOT NULL,
	PRIMARY KEY (namespace, id, queue, seq),
	FOREIGN KEY (namespace, id) REFERENCES trefoil_@ ON DELETE CASCADE
) STRICT;

CREATE TABLE trefoil_@_frames (
	namespace TEXT    NOT NULL,
	id        BLOB    NOT NULL,
	hash      BLOB    NOT NULL CHECK (length(hash) = 32),
	seq       INTEGER NOT NULL CHECK (seq > 0),
	sealed    BLOB,                                     -- NULL once the frame is done with
	PRIMARY KEY (namespace, id, hash),
	FOREIGN KEY (namespace, id) REFERENCES trefoil_@ ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX trefoil_@_frames_seq ON trefoil_@_frames (namespace, id, seq);
CREATE INDEX trefoil_@_frames_retained ON trefoil_@_frames (namespace, id, seq) WHERE sealed IS NOT NULL;

CREATE TABLE trefoil_@_deleted (
	namespace TEXT NOT NULL,
	id        BLOB NOT NULL CHECK (length(id) = 32),
	PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;
