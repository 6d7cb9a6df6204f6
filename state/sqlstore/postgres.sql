-- The schema on PostgreSQL, version 1, as sqlite.sql has it for SQLite. It is part of the stored format in the same way.
--
-- Every key begins with the namespace, so that a distributed engine keeps together what is used together. Nothing refers to
-- another table: a commit has locked its row before it writes beside it, and deletes what lies there with the row. Each
-- statement may be run again, for engines on which the making of tables is no part of a transaction.

--------

CREATE TABLE IF NOT EXISTS trefoil_@ (
	namespace text   NOT NULL,
	id        bytea  NOT NULL CHECK (length(id) = 32),
	version   bigint NOT NULL CHECK (version > 0),
	head      bytea  NOT NULL,
	*         bytea  NOT NULL,
	PRIMARY KEY (namespace, id)
);

CREATE TABLE IF NOT EXISTS trefoil_@_segments (
	namespace text  NOT NULL,
	id        bytea NOT NULL,
	path      bytea NOT NULL,
	sealed    bytea NOT NULL,
	PRIMARY KEY (namespace, id, path)
);

CREATE TABLE IF NOT EXISTS trefoil_@_items (
	namespace text     NOT NULL,
	id        bytea    NOT NULL,
	queue     smallint NOT NULL CHECK (queue IN (1, 2)), -- outbox, inbox
	seq       bigint   NOT NULL CHECK (seq > 0),
	lane      bigint   NOT NULL CHECK (lane >= 0),
	sealed    bytea    NOT NULL,
	PRIMARY KEY (namespace, id, queue, seq)
);

CREATE TABLE IF NOT EXISTS trefoil_@_frames (
	namespace text   NOT NULL,
	id        bytea  NOT NULL,
	hash      bytea  NOT NULL CHECK (length(hash) = 32),
	seq       bigint NOT NULL CHECK (seq > 0),
	sealed    bytea,                                     -- NULL once the frame is done with
	PRIMARY KEY (namespace, id, hash)
);

CREATE UNIQUE INDEX IF NOT EXISTS trefoil_@_frames_seq ON trefoil_@_frames (namespace, id, seq);
CREATE INDEX IF NOT EXISTS trefoil_@_frames_retained ON trefoil_@_frames (namespace, id, seq) WHERE sealed IS NOT NULL;

CREATE TABLE IF NOT EXISTS trefoil_@_deleted (
	namespace text  NOT NULL,
	id        bytea NOT NULL CHECK (length(id) = 32),
	PRIMARY KEY (namespace, id)
);
