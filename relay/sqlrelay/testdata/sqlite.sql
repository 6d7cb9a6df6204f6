CREATE TABLE "relay_persons" (
	"address" BLOB NOT NULL CHECK (length("address") = 32),
	"version" INTEGER NOT NULL CHECK ("version" >= 1),
	"leaf" INTEGER NOT NULL CHECK ("leaf" >= 0),
	PRIMARY KEY ("address")
) STRICT;

CREATE TABLE "relay_registrations" (
	"person" BLOB NOT NULL CHECK (length("person") = 32),
	"registration" BLOB NOT NULL CHECK (length("registration") BETWEEN 1 AND 131072),
	PRIMARY KEY ("person"),
	FOREIGN KEY ("person") REFERENCES "relay_persons" ("address")
) STRICT;

CREATE TABLE "relay_deletions" (
	"person" BLOB NOT NULL CHECK (length("person") = 32),
	"key" BLOB NOT NULL CHECK (length("key") = 57),
	"signature" BLOB NOT NULL CHECK (length("signature") = 114),
	"at" INTEGER NOT NULL CHECK ("at" >= 0),
	"swept" INTEGER NOT NULL CHECK ("swept" BETWEEN 0 AND 1),
	PRIMARY KEY ("person"),
	FOREIGN KEY ("person") REFERENCES "relay_persons" ("address")
) STRICT;

CREATE INDEX "relay_deletions_swept" ON "relay_deletions" ("swept");

CREATE TABLE "relay_devices" (
	"device" BLOB NOT NULL CHECK (length("device") = 32),
	"person" BLOB NOT NULL CHECK (length("person") = 32),
	"name" BLOB NOT NULL CHECK (length("name") = 57),
	"identity" BLOB NOT NULL CHECK (length("identity") = 57),
	"renewals" INTEGER NOT NULL CHECK ("renewals" >= 0),
	"mailbox" BLOB NOT NULL CHECK (length("mailbox") = 57),
	"number" INTEGER NOT NULL CHECK ("number" >= 1),
	"bundle" BLOB NOT NULL CHECK (length("bundle") = 2690),
	"highest" INTEGER NOT NULL CHECK ("highest" >= 0),
	"unclaimed" INTEGER NOT NULL CHECK ("unclaimed" >= 0),
	"added" INTEGER NOT NULL CHECK ("added" >= 1),
	"renewed" INTEGER NOT NULL CHECK ("renewed" >= 1),
	PRIMARY KEY ("device"),
	FOREIGN KEY ("person") REFERENCES "relay_persons" ("address")
) STRICT;

CREATE INDEX "relay_devices_person" ON "relay_devices" ("person");

CREATE UNIQUE INDEX "relay_devices_name" ON "relay_devices" ("person", "name");

CREATE UNIQUE INDEX "relay_devices_mailbox" ON "relay_devices" ("mailbox");

CREATE TABLE "relay_revocations" (
	"device" BLOB NOT NULL CHECK (length("device") = 32),
	"version" INTEGER NOT NULL CHECK ("version" >= 1),
	"at" INTEGER NOT NULL CHECK ("at" >= 0),
	"swept" INTEGER NOT NULL CHECK ("swept" BETWEEN 0 AND 1),
	PRIMARY KEY ("device"),
	FOREIGN KEY ("device") REFERENCES "relay_devices" ("device")
) STRICT;

CREATE INDEX "relay_revocations_swept" ON "relay_revocations" ("swept");

CREATE TABLE "relay_bundles" (
	"device" BLOB NOT NULL CHECK (length("device") = 32),
	"number" INTEGER NOT NULL CHECK ("number" >= 1),
	"bundle" BLOB NOT NULL CHECK (length("bundle") = 2690),
	"until" INTEGER NOT NULL CHECK ("until" >= 0),
	PRIMARY KEY ("device", "number"),
	FOREIGN KEY ("device") REFERENCES "relay_devices" ("device")
) STRICT;

CREATE INDEX "relay_bundles_until" ON "relay_bundles" ("until");

CREATE TABLE "relay_onetime" (
	"device" BLOB NOT NULL CHECK (length("device") = 32),
	"id" INTEGER NOT NULL CHECK ("id" >= 1),
	"prekey" BLOB NOT NULL CHECK (length("prekey") = 1417),
	PRIMARY KEY ("device", "id"),
	FOREIGN KEY ("device") REFERENCES "relay_devices" ("device")
) STRICT;

CREATE TABLE "relay_claims" (
	"requester" BLOB NOT NULL CHECK (length("requester") = 32),
	"request" BLOB NOT NULL CHECK (length("request") = 16),
	"device" BLOB NOT NULL CHECK (length("device") = 32),
	"person" BLOB NOT NULL CHECK (length("person") = 32),
	"number" INTEGER NOT NULL CHECK ("number" >= 1),
	"prekey" BLOB NOT NULL CHECK (length("prekey") = 1417),
	"at" INTEGER NOT NULL CHECK ("at" >= 0),
	PRIMARY KEY ("requester", "request", "device"),
	FOREIGN KEY ("requester") REFERENCES "relay_devices" ("device"),
	FOREIGN KEY ("device") REFERENCES "relay_devices" ("device"),
	FOREIGN KEY ("person") REFERENCES "relay_persons" ("address")
) STRICT;

CREATE INDEX "relay_claims_budget" ON "relay_claims" ("device", "person");

CREATE INDEX "relay_claims_at" ON "relay_claims" ("at");

CREATE TABLE "relay_secrets" (
	"one" INTEGER NOT NULL CHECK ("one" = 1),
	"secret" BLOB NOT NULL CHECK (length("secret") = 32),
	PRIMARY KEY ("one")
) STRICT, WITHOUT ROWID;

CREATE TABLE "relay_tokens" (
	"token" BLOB NOT NULL CHECK (length("token") = 32),
	"device" BLOB NOT NULL CHECK (length("device") = 32),
	"challenge" BLOB NOT NULL CHECK (length("challenge") = 32),
	"until" INTEGER NOT NULL CHECK ("until" >= 0),
	PRIMARY KEY ("token"),
	FOREIGN KEY ("device") REFERENCES "relay_devices" ("device")
) STRICT;

CREATE UNIQUE INDEX "relay_tokens_challenge" ON "relay_tokens" ("challenge");

CREATE INDEX "relay_tokens_device" ON "relay_tokens" ("device", "until");

CREATE INDEX "relay_tokens_until" ON "relay_tokens" ("until");

CREATE TABLE "relay_leaves" (
	"leaf" INTEGER NOT NULL CHECK ("leaf" >= 0),
	"person" BLOB NOT NULL CHECK (length("person") = 32),
	"version" INTEGER NOT NULL CHECK ("version" >= 1),
	"hash" BLOB NOT NULL CHECK (length("hash") = 32),
	PRIMARY KEY ("leaf"),
	FOREIGN KEY ("person") REFERENCES "relay_persons" ("address")
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX "relay_leaves_person" ON "relay_leaves" ("person", "version");

CREATE TABLE "relay_hashes" (
	"place" INTEGER NOT NULL CHECK ("place" >= 0),
	"hash" BLOB NOT NULL CHECK (length("hash") = 32),
	PRIMARY KEY ("place")
) STRICT, WITHOUT ROWID;

CREATE TABLE "relay_tree" (
	"one" INTEGER NOT NULL CHECK ("one" = 1),
	"size" INTEGER NOT NULL CHECK ("size" >= 1),
	PRIMARY KEY ("one")
) STRICT, WITHOUT ROWID;

CREATE TABLE "relay_conversations" (
	"conversation" BLOB NOT NULL CHECK (length("conversation") = 32),
	"kind" INTEGER NOT NULL CHECK ("kind" BETWEEN 1 AND 2),
	"at" INTEGER NOT NULL CHECK ("at" >= 0),
	PRIMARY KEY ("conversation")
) STRICT;

CREATE TABLE "relay_pairs" (
	"low" BLOB NOT NULL CHECK (length("low") = 32),
	"high" BLOB NOT NULL CHECK (length("high") = 32),
	"conversation" BLOB NOT NULL CHECK (length("conversation") = 32),
	PRIMARY KEY ("low", "high"),
	FOREIGN KEY ("low") REFERENCES "relay_persons" ("address"),
	FOREIGN KEY ("high") REFERENCES "relay_persons" ("address"),
	FOREIGN KEY ("conversation") REFERENCES "relay_conversations" ("conversation"),
	CHECK ("low" < "high")
) STRICT;

CREATE UNIQUE INDEX "relay_pairs_conversation" ON "relay_pairs" ("conversation");

CREATE TABLE "relay_sessions" (
	"conversation" BLOB NOT NULL CHECK (length("conversation") = 32),
	"number" INTEGER NOT NULL CHECK ("number" >= 1),
	"initiator" BLOB NOT NULL CHECK (length("initiator") = 32),
	"identity" BLOB NOT NULL CHECK (length("identity") = 57),
	"at" INTEGER NOT NULL CHECK ("at" >= 0),
	PRIMARY KEY ("conversation", "number"),
	FOREIGN KEY ("conversation") REFERENCES "relay_conversations" ("conversation"),
	FOREIGN KEY ("initiator") REFERENCES "relay_devices" ("device")
) STRICT;

CREATE INDEX "relay_sessions_initiator" ON "relay_sessions" ("initiator", "conversation");

CREATE TABLE "relay_currents" (
	"conversation" BLOB NOT NULL CHECK (length("conversation") = 32),
	"number" INTEGER NOT NULL CHECK ("number" >= 1),
	PRIMARY KEY ("conversation"),
	FOREIGN KEY ("conversation") REFERENCES "relay_conversations" ("conversation"),
	FOREIGN KEY ("conversation", "number") REFERENCES "relay_sessions" ("conversation", "number")
) STRICT;

CREATE TABLE "relay_members" (
	"conversation" BLOB NOT NULL CHECK (length("conversation") = 32),
	"person" BLOB NOT NULL CHECK (length("person") = 32),
	"since" INTEGER NOT NULL CHECK ("since" >= 1),
	PRIMARY KEY ("conversation", "person"),
	FOREIGN KEY ("conversation") REFERENCES "relay_conversations" ("conversation"),
	FOREIGN KEY ("person") REFERENCES "relay_persons" ("address")
) STRICT;

CREATE INDEX "relay_members_person" ON "relay_members" ("person");

CREATE TABLE "relay_leavers" (
	"conversation" BLOB NOT NULL CHECK (length("conversation") = 32),
	"person" BLOB NOT NULL CHECK (length("person") = 32),
	PRIMARY KEY ("conversation", "person"),
	FOREIGN KEY ("conversation", "person") REFERENCES "relay_members" ("conversation", "person")
) STRICT;

CREATE TABLE "relay_envelopes" (
	"conversation" BLOB NOT NULL CHECK (length("conversation") = 32),
	"number" INTEGER NOT NULL CHECK ("number" >= 1),
	"device" BLOB NOT NULL CHECK (length("device") = 32),
	"ephemeral" BLOB NOT NULL CHECK (length("ephemeral") = 57),
	"sealed" BLOB NOT NULL CHECK (length("sealed") BETWEEN 1 AND 65536),
	PRIMARY KEY ("conversation", "number", "device"),
	FOREIGN KEY ("conversation", "number") REFERENCES "relay_sessions" ("conversation", "number"),
	FOREIGN KEY ("device") REFERENCES "relay_devices" ("device")
) STRICT;

CREATE INDEX "relay_envelopes_device" ON "relay_envelopes" ("device", "conversation");

CREATE TABLE "relay_proposals" (
	"device" BLOB NOT NULL CHECK (length("device") = 32),
	"request" BLOB NOT NULL CHECK (length("request") = 16),
	"digest" BLOB NOT NULL CHECK (length("digest") = 32),
	"conversation" BLOB NOT NULL CHECK (length("conversation") = 32),
	"number" INTEGER NOT NULL CHECK ("number" >= 1),
	PRIMARY KEY ("device", "request"),
	FOREIGN KEY ("device") REFERENCES "relay_devices" ("device"),
	FOREIGN KEY ("conversation", "number") REFERENCES "relay_sessions" ("conversation", "number")
) STRICT;

CREATE TABLE "relay_budgets" (
	"person" BLOB NOT NULL CHECK (length("person") = 32),
	"day" INTEGER NOT NULL CHECK ("day" >= 0),
	"sessions" INTEGER NOT NULL CHECK ("sessions" >= 1),
	"size" INTEGER NOT NULL CHECK ("size" >= 0),
	PRIMARY KEY ("person", "day"),
	FOREIGN KEY ("person") REFERENCES "relay_persons" ("address")
) STRICT;

CREATE INDEX "relay_budgets_day" ON "relay_budgets" ("day");

CREATE TABLE "relay_requests" (
	"request" BLOB NOT NULL CHECK (length("request") = 32),
	"conversation" BLOB NOT NULL CHECK (length("conversation") = 32),
	"number" INTEGER NOT NULL CHECK ("number" >= 1),
	"requester" BLOB NOT NULL CHECK (length("requester") = 32),
	"target" BLOB NOT NULL CHECK (length("target") = 32),
	"signature" BLOB NOT NULL CHECK (length("signature") = 114),
	"at" INTEGER NOT NULL CHECK ("at" >= 0),
	"answered" INTEGER NOT NULL CHECK ("answered" BETWEEN 0 AND 1),
	PRIMARY KEY ("request"),
	FOREIGN KEY ("conversation", "number") REFERENCES "relay_sessions" ("conversation", "number"),
	FOREIGN KEY ("requester") REFERENCES "relay_devices" ("device"),
	FOREIGN KEY ("target") REFERENCES "relay_devices" ("device")
) STRICT;

CREATE UNIQUE INDEX "relay_requests_once" ON "relay_requests" ("conversation", "number", "requester", "target");

CREATE INDEX "relay_requests_requester" ON "relay_requests" ("requester", "answered");

CREATE INDEX "relay_requests_open" ON "relay_requests" ("answered", "at");

CREATE TABLE "relay_answers" (
	"request" BLOB NOT NULL CHECK (length("request") = 32),
	"device" BLOB NOT NULL CHECK (length("device") = 32),
	"ephemeral" BLOB NOT NULL CHECK (length("ephemeral") = 57),
	"sealed" BLOB NOT NULL CHECK (length("sealed") BETWEEN 1 AND 65536),
	PRIMARY KEY ("request"),
	FOREIGN KEY ("request") REFERENCES "relay_requests" ("request"),
	FOREIGN KEY ("device") REFERENCES "relay_devices" ("device")
) STRICT;

CREATE TABLE "relay_mailboxes" (
	"device" BLOB NOT NULL CHECK (length("device") = 32),
	"last" INTEGER NOT NULL CHECK ("last" >= 0),
	"topics" INTEGER NOT NULL CHECK ("topics" >= 0),
	PRIMARY KEY ("device"),
	FOREIGN KEY ("device") REFERENCES "relay_devices" ("device")
) STRICT;

CREATE TABLE "relay_subscriptions" (
	"topic" BLOB NOT NULL CHECK (length("topic") BETWEEN 1 AND 128),
	"device" BLOB NOT NULL CHECK (length("device") = 32),
	PRIMARY KEY ("topic", "device"),
	FOREIGN KEY ("device") REFERENCES "relay_mailboxes" ("device")
) STRICT;

CREATE INDEX "relay_subscriptions_device" ON "relay_subscriptions" ("device");

CREATE TABLE "relay_messages" (
	"message" BLOB NOT NULL CHECK (length("message") = 16),
	"kind" INTEGER NOT NULL CHECK ("kind" BETWEEN 1 AND 7),
	"topic" BLOB NOT NULL CHECK (length("topic") BETWEEN 1 AND 128),
	"sender" BLOB NOT NULL CHECK (length("sender") = 32),
	"request" BLOB NOT NULL CHECK (length("request") = 16),
	"at" INTEGER NOT NULL CHECK ("at" >= 0),
	"data" BLOB NOT NULL CHECK (length("data") BETWEEN 0 AND 2097152),
	PRIMARY KEY ("message"),
	FOREIGN KEY ("sender") REFERENCES "relay_devices" ("device")
) STRICT;

CREATE UNIQUE INDEX "relay_messages_once" ON "relay_messages" ("sender", "request");

CREATE INDEX "relay_messages_at" ON "relay_messages" ("at");

CREATE TABLE "relay_items" (
	"device" BLOB NOT NULL CHECK (length("device") = 32),
	"seq" INTEGER NOT NULL CHECK ("seq" >= 1),
	"message" BLOB NOT NULL CHECK (length("message") = 16),
	"kind" INTEGER NOT NULL CHECK ("kind" BETWEEN 1 AND 7),
	"topic" BLOB NOT NULL CHECK (length("topic") BETWEEN 1 AND 128),
	"sender" BLOB NOT NULL CHECK (length("sender") = 32),
	"size" INTEGER NOT NULL CHECK ("size" >= 0),
	PRIMARY KEY ("device", "seq"),
	FOREIGN KEY ("device") REFERENCES "relay_mailboxes" ("device"),
	FOREIGN KEY ("message") REFERENCES "relay_messages" ("message"),
	FOREIGN KEY ("sender") REFERENCES "relay_persons" ("address")
) STRICT;

CREATE INDEX "relay_items_message" ON "relay_items" ("message");

CREATE TABLE "relay_tombstones" (
	"device" BLOB NOT NULL CHECK (length("device") = 32),
	"topic" BLOB NOT NULL CHECK (length("topic") BETWEEN 1 AND 128),
	"reason" INTEGER NOT NULL CHECK ("reason" BETWEEN 1 AND 2),
	"seq" INTEGER NOT NULL CHECK ("seq" >= 1),
	"count" INTEGER NOT NULL CHECK ("count" >= 1),
	PRIMARY KEY ("device", "topic", "reason"),
	FOREIGN KEY ("device") REFERENCES "relay_mailboxes" ("device")
) STRICT;

CREATE UNIQUE INDEX "relay_tombstones_seq" ON "relay_tombstones" ("device", "seq");

CREATE TABLE "relay_settled" (
	"message" BLOB NOT NULL CHECK (length("message") = 16),
	"device" BLOB NOT NULL CHECK (length("device") = 32),
	PRIMARY KEY ("message", "device"),
	FOREIGN KEY ("message") REFERENCES "relay_messages" ("message"),
	FOREIGN KEY ("device") REFERENCES "relay_mailboxes" ("device")
) STRICT;

CREATE TABLE "relay_usage" (
	"sender" BLOB NOT NULL CHECK (length("sender") = 32),
	"device" BLOB NOT NULL CHECK (length("device") = 32),
	"size" INTEGER NOT NULL CHECK ("size" >= 0),
	PRIMARY KEY ("sender", "device"),
	FOREIGN KEY ("sender") REFERENCES "relay_persons" ("address"),
	FOREIGN KEY ("device") REFERENCES "relay_mailboxes" ("device")
) STRICT;

CREATE TABLE "relay_freed" (
	"sender" BLOB NOT NULL CHECK (length("sender") = 32),
	"device" BLOB NOT NULL CHECK (length("device") = 32),
	"size" INTEGER NOT NULL CHECK ("size" >= 1),
	PRIMARY KEY ("sender", "device"),
	FOREIGN KEY ("sender", "device") REFERENCES "relay_usage" ("sender", "device")
) STRICT;

CREATE TABLE "relay_blobs" (
	"owner" BLOB NOT NULL CHECK (length("owner") = 32),
	"address" BLOB NOT NULL CHECK (length("address") = 32),
	"size" INTEGER NOT NULL CHECK ("size" >= 1),
	"received" INTEGER NOT NULL CHECK ("received" >= 0),
	"digest" BLOB NOT NULL CHECK (length("digest") BETWEEN 1 AND 256),
	"at" INTEGER NOT NULL CHECK ("at" >= 0),
	PRIMARY KEY ("owner", "address"),
	FOREIGN KEY ("owner") REFERENCES "relay_persons" ("address")
) STRICT;

CREATE INDEX "relay_blobs_address" ON "relay_blobs" ("address");

CREATE INDEX "relay_blobs_at" ON "relay_blobs" ("at");

CREATE TABLE "relay_chunks" (
	"owner" BLOB NOT NULL CHECK (length("owner") = 32),
	"address" BLOB NOT NULL CHECK (length("address") = 32),
	"start" INTEGER NOT NULL CHECK ("start" >= 0),
	"data" BLOB NOT NULL CHECK (length("data") BETWEEN 1 AND 262144),
	PRIMARY KEY ("owner", "address", "start"),
	FOREIGN KEY ("owner", "address") REFERENCES "relay_blobs" ("owner", "address")
) STRICT;

CREATE TABLE "relay_storage" (
	"person" BLOB NOT NULL CHECK (length("person") = 32),
	"size" INTEGER NOT NULL CHECK ("size" >= 0),
	PRIMARY KEY ("person"),
	FOREIGN KEY ("person") REFERENCES "relay_persons" ("address")
) STRICT;
