-- The schema on SQLite, version 1. It is part of the stored format: it is not edited after a release, a later version is
-- a script of its own that starts from here.
--
-- Every kind of value has four tables. Rows hold the parts, none of which can be missing. What lies beside a row refers to
-- it and goes when it goes. Only the frames are stored WITHOUT ROWID: nearly all of them are a hash and a number, while
-- the other rows are too long for the inside of a tree.

CREATE TABLE trefoil (
	one     INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
	version INTEGER NOT NULL
) STRICT;

CREATE TABLE spaces (
	id       BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
	version  INTEGER NOT NULL CHECK (version > 0),
	head     BLOB    NOT NULL,
	state    BLOB    NOT NULL,
	template BLOB    NOT NULL,
	evals    BLOB    NOT NULL
) STRICT;

CREATE TABLE spaces_segments (
	id     BLOB NOT NULL REFERENCES spaces (id) ON DELETE CASCADE,
	path   TEXT NOT NULL,
	sealed BLOB NOT NULL,
	PRIMARY KEY (id, path)
) STRICT;

CREATE TABLE spaces_items (
	id     BLOB    NOT NULL REFERENCES spaces (id) ON DELETE CASCADE,
	queue  INTEGER NOT NULL CHECK (queue IN (1, 2)), -- outbox, inbox
	seq    INTEGER NOT NULL CHECK (seq > 0),
	sealed BLOB    NOT NULL,
	PRIMARY KEY (id, queue, seq)
) STRICT;

CREATE TABLE spaces_frames (
	id     BLOB    NOT NULL REFERENCES spaces (id) ON DELETE CASCADE,
	hash   BLOB    NOT NULL CHECK (length(hash) = 32),
	seq    INTEGER NOT NULL CHECK (seq > 0),
	sealed BLOB,                                     -- NULL once the frame is settled
	PRIMARY KEY (id, hash)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX spaces_frames_seq ON spaces_frames (id, seq);
CREATE INDEX spaces_frames_retained ON spaces_frames (id, seq) WHERE sealed IS NOT NULL;

CREATE TABLE sessions (
	id      BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
	version INTEGER NOT NULL CHECK (version > 0),
	head    BLOB    NOT NULL,
	session BLOB    NOT NULL
) STRICT;

CREATE TABLE sessions_segments (
	id     BLOB NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
	path   TEXT NOT NULL,
	sealed BLOB NOT NULL,
	PRIMARY KEY (id, path)
) STRICT;

CREATE TABLE sessions_items (
	id     BLOB    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
	queue  INTEGER NOT NULL CHECK (queue IN (1, 2)), -- outbox, inbox
	seq    INTEGER NOT NULL CHECK (seq > 0),
	sealed BLOB    NOT NULL,
	PRIMARY KEY (id, queue, seq)
) STRICT;

CREATE TABLE sessions_frames (
	id     BLOB    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
	hash   BLOB    NOT NULL CHECK (length(hash) = 32),
	seq    INTEGER NOT NULL CHECK (seq > 0),
	sealed BLOB,                                     -- NULL once the frame is settled
	PRIMARY KEY (id, hash)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX sessions_frames_seq ON sessions_frames (id, seq);
CREATE INDEX sessions_frames_retained ON sessions_frames (id, seq) WHERE sealed IS NOT NULL;
