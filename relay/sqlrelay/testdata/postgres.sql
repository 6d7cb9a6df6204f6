CREATE TABLE "relay_persons" (
	"address" bytea NOT NULL CHECK (octet_length("address") = 32),
	"version" bigint NOT NULL CHECK ("version" >= 1),
	"leaf" bigint NOT NULL CHECK ("leaf" >= 0),
	PRIMARY KEY ("address")
);

CREATE TABLE "relay_registrations" (
	"person" bytea NOT NULL CHECK (octet_length("person") = 32),
	"registration" bytea NOT NULL CHECK (octet_length("registration") BETWEEN 1 AND 131072),
	PRIMARY KEY ("person"),
	FOREIGN KEY ("person") REFERENCES "relay_persons" ("address")
);

CREATE TABLE "relay_deletions" (
	"person" bytea NOT NULL CHECK (octet_length("person") = 32),
	"key" bytea NOT NULL CHECK (octet_length("key") = 57),
	"signature" bytea NOT NULL CHECK (octet_length("signature") = 114),
	"at" bigint NOT NULL CHECK ("at" >= 0),
	"swept" bigint NOT NULL CHECK ("swept" BETWEEN 0 AND 1),
	PRIMARY KEY ("person"),
	FOREIGN KEY ("person") REFERENCES "relay_persons" ("address")
);

CREATE INDEX "relay_deletions_swept" ON "relay_deletions" ("swept");

CREATE TABLE "relay_devices" (
	"device" bytea NOT NULL CHECK (octet_length("device") = 32),
	"person" bytea NOT NULL CHECK (octet_length("person") = 32),
	"name" bytea NOT NULL CHECK (octet_length("name") = 57),
	"identity" bytea NOT NULL CHECK (octet_length("identity") = 57),
	"renewals" bigint NOT NULL CHECK ("renewals" >= 0),
	"mailbox" bytea NOT NULL CHECK (octet_length("mailbox") = 57),
	"number" bigint NOT NULL CHECK ("number" >= 1),
	"bundle" bytea NOT NULL CHECK (octet_length("bundle") = 2690),
	"highest" bigint NOT NULL CHECK ("highest" >= 0),
	"unclaimed" bigint NOT NULL CHECK ("unclaimed" >= 0),
	"added" bigint NOT NULL CHECK ("added" >= 1),
	"renewed" bigint NOT NULL CHECK ("renewed" >= 1),
	PRIMARY KEY ("device"),
	FOREIGN KEY ("person") REFERENCES "relay_persons" ("address")
);

CREATE INDEX "relay_devices_person" ON "relay_devices" ("person");

CREATE UNIQUE INDEX "relay_devices_name" ON "relay_devices" ("person", "name");

CREATE UNIQUE INDEX "relay_devices_mailbox" ON "relay_devices" ("mailbox");

CREATE TABLE "relay_revocations" (
	"device" bytea NOT NULL CHECK (octet_length("device") = 32),
	"version" bigint NOT NULL CHECK ("version" >= 1),
	"at" bigint NOT NULL CHECK ("at" >= 0),
	"swept" bigint NOT NULL CHECK ("swept" BETWEEN 0 AND 1),
	PRIMARY KEY ("device"),
	FOREIGN KEY ("device") REFERENCES "relay_devices" ("device")
);

CREATE INDEX "relay_revocations_swept" ON "relay_revocations" ("swept");

CREATE TABLE "relay_bundles" (
	"device" bytea NOT NULL CHECK (octet_length("device") = 32),
	"number" bigint NOT NULL CHECK ("number" >= 1),
	"bundle" bytea NOT NULL CHECK (octet_length("bundle") = 2690),
	"until" bigint NOT NULL CHECK ("until" >= 0),
	PRIMARY KEY ("device", "number"),
	FOREIGN KEY ("device") REFERENCES "relay_devices" ("device")
);

CREATE INDEX "relay_bundles_until" ON "relay_bundles" ("until");

CREATE TABLE "relay_onetime" (
	"device" bytea NOT NULL CHECK (octet_length("device") = 32),
	"id" bigint NOT NULL CHECK ("id" >= 1),
	"prekey" bytea NOT NULL CHECK (octet_length("prekey") = 1417),
	PRIMARY KEY ("device", "id"),
	FOREIGN KEY ("device") REFERENCES "relay_devices" ("device")
);

CREATE TABLE "relay_claims" (
	"requester" bytea NOT NULL CHECK (octet_length("requester") = 32),
	"request" bytea NOT NULL CHECK (octet_length("request") = 16),
	"device" bytea NOT NULL CHECK (octet_length("device") = 32),
	"person" bytea NOT NULL CHECK (octet_length("person") = 32),
	"number" bigint NOT NULL CHECK ("number" >= 1),
	"prekey" bytea NOT NULL CHECK (octet_length("prekey") = 1417),
	"at" bigint NOT NULL CHECK ("at" >= 0),
	PRIMARY KEY ("requester", "request", "device"),
	FOREIGN KEY ("requester") REFERENCES "relay_devices" ("device"),
	FOREIGN KEY ("device") REFERENCES "relay_devices" ("device"),
	FOREIGN KEY ("person") REFERENCES "relay_persons" ("address")
);

CREATE INDEX "relay_claims_budget" ON "relay_claims" ("device", "person");

CREATE INDEX "relay_claims_at" ON "relay_claims" ("at");

CREATE TABLE "relay_secrets" (
	"one" bigint NOT NULL CHECK ("one" = 1),
	"secret" bytea NOT NULL CHECK (octet_length("secret") = 32),
	PRIMARY KEY ("one")
);

CREATE TABLE "relay_tokens" (
	"token" bytea NOT NULL CHECK (octet_length("token") = 32),
	"device" bytea NOT NULL CHECK (octet_length("device") = 32),
	"challenge" bytea NOT NULL CHECK (octet_length("challenge") = 32),
	"until" bigint NOT NULL CHECK ("until" >= 0),
	PRIMARY KEY ("token"),
	FOREIGN KEY ("device") REFERENCES "relay_devices" ("device")
);

CREATE UNIQUE INDEX "relay_tokens_challenge" ON "relay_tokens" ("challenge");

CREATE INDEX "relay_tokens_device" ON "relay_tokens" ("device", "until");

CREATE INDEX "relay_tokens_until" ON "relay_tokens" ("until");

CREATE TABLE "relay_leaves" (
	"leaf" bigint NOT NULL CHECK ("leaf" >= 0),
	"person" bytea NOT NULL CHECK (octet_length("person") = 32),
	"version" bigint NOT NULL CHECK ("version" >= 1),
	"hash" bytea NOT NULL CHECK (octet_length("hash") = 32),
	PRIMARY KEY ("leaf"),
	FOREIGN KEY ("person") REFERENCES "relay_persons" ("address")
);

CREATE UNIQUE INDEX "relay_leaves_person" ON "relay_leaves" ("person", "version");

CREATE TABLE "relay_hashes" (
	"place" bigint NOT NULL CHECK ("place" >= 0),
	"hash" bytea NOT NULL CHECK (octet_length("hash") = 32),
	PRIMARY KEY ("place")
);

CREATE TABLE "relay_tree" (
	"one" bigint NOT NULL CHECK ("one" = 1),
	"size" bigint NOT NULL CHECK ("size" >= 1),
	PRIMARY KEY ("one")
);

CREATE TABLE "relay_conversations" (
	"conversation" bytea NOT NULL CHECK (octet_length("conversation") = 32),
	"kind" bigint NOT NULL CHECK ("kind" BETWEEN 1 AND 2),
	"at" bigint NOT NULL CHECK ("at" >= 0),
	PRIMARY KEY ("conversation")
);

CREATE TABLE "relay_pairs" (
	"low" bytea NOT NULL CHECK (octet_length("low") = 32),
	"high" bytea NOT NULL CHECK (octet_length("high") = 32),
	"conversation" bytea NOT NULL CHECK (octet_length("conversation") = 32),
	PRIMARY KEY ("low", "high"),
	FOREIGN KEY ("low") REFERENCES "relay_persons" ("address"),
	FOREIGN KEY ("high") REFERENCES "relay_persons" ("address"),
	FOREIGN KEY ("conversation") REFERENCES "relay_conversations" ("conversation"),
	CHECK ("low" < "high")
);

CREATE UNIQUE INDEX "relay_pairs_conversation" ON "relay_pairs" ("conversation");

CREATE TABLE "relay_sessions" (
	"conversation" bytea NOT NULL CHECK (octet_length("conversation") = 32),
	"number" bigint NOT NULL CHECK ("number" >= 1),
	"initiator" bytea NOT NULL CHECK (octet_length("initiator") = 32),
	"identity" bytea NOT NULL CHECK (octet_length("identity") = 57),
	"at" bigint NOT NULL CHECK ("at" >= 0),
	PRIMARY KEY ("conversation", "number"),
	FOREIGN KEY ("conversation") REFERENCES "relay_conversations" ("conversation"),
	FOREIGN KEY ("initiator") REFERENCES "relay_devices" ("device")
);

CREATE INDEX "relay_sessions_initiator" ON "relay_sessions" ("initiator", "conversation");

CREATE TABLE "relay_currents" (
	"conversation" bytea NOT NULL CHECK (octet_length("conversation") = 32),
	"number" bigint NOT NULL CHECK ("number" >= 1),
	PRIMARY KEY ("conversation"),
	FOREIGN KEY ("conversation") REFERENCES "relay_conversations" ("conversation"),
	FOREIGN KEY ("conversation", "number") REFERENCES "relay_sessions" ("conversation", "number")
);

CREATE TABLE "relay_members" (
	"conversation" bytea NOT NULL CHECK (octet_length("conversation") = 32),
	"person" bytea NOT NULL CHECK (octet_length("person") = 32),
	"since" bigint NOT NULL CHECK ("since" >= 1),
	PRIMARY KEY ("conversation", "person"),
	FOREIGN KEY ("conversation") REFERENCES "relay_conversations" ("conversation"),
	FOREIGN KEY ("person") REFERENCES "relay_persons" ("address")
);

CREATE INDEX "relay_members_person" ON "relay_members" ("person");

CREATE TABLE "relay_leavers" (
	"conversation" bytea NOT NULL CHECK (octet_length("conversation") = 32),
	"person" bytea NOT NULL CHECK (octet_length("person") = 32),
	PRIMARY KEY ("conversation", "person"),
	FOREIGN KEY ("conversation", "person") REFERENCES "relay_members" ("conversation", "person")
);

CREATE TABLE "relay_envelopes" (
	"conversation" bytea NOT NULL CHECK (octet_length("conversation") = 32),
	"number" bigint NOT NULL CHECK ("number" >= 1),
	"device" bytea NOT NULL CHECK (octet_length("device") = 32),
	"ephemeral" bytea NOT NULL CHECK (octet_length("ephemeral") = 57),
	"sealed" bytea NOT NULL CHECK (octet_length("sealed") BETWEEN 1 AND 65536),
	PRIMARY KEY ("conversation", "number", "device"),
	FOREIGN KEY ("conversation", "number") REFERENCES "relay_sessions" ("conversation", "number"),
	FOREIGN KEY ("device") REFERENCES "relay_devices" ("device")
);

CREATE INDEX "relay_envelopes_device" ON "relay_envelopes" ("device", "conversation");

CREATE TABLE "relay_proposals" (
	"device" bytea NOT NULL CHECK (octet_length("device") = 32),
	"request" bytea NOT NULL CHECK (octet_length("request") = 16),
	"digest" bytea NOT NULL CHECK (octet_length("digest") = 32),
	"conversation" bytea NOT NULL CHECK (octet_length("conversation") = 32),
	"number" bigint NOT NULL CHECK ("number" >= 1),
	PRIMARY KEY ("device", "request"),
	FOREIGN KEY ("device") REFERENCES "relay_devices" ("device"),
	FOREIGN KEY ("conversation", "number") REFERENCES "relay_sessions" ("conversation", "number")
);

CREATE TABLE "relay_budgets" (
	"person" bytea NOT NULL CHECK (octet_length("person") = 32),
	"day" bigint NOT NULL CHECK ("day" >= 0),
	"sessions" bigint NOT NULL CHECK ("sessions" >= 1),
	"size" bigint NOT NULL CHECK ("size" >= 0),
	PRIMARY KEY ("person", "day"),
	FOREIGN KEY ("person") REFERENCES "relay_persons" ("address")
);

CREATE INDEX "relay_budgets_day" ON "relay_budgets" ("day");

CREATE TABLE "relay_requests" (
	"request" bytea NOT NULL CHECK (octet_length("request") = 32),
	"conversation" bytea NOT NULL CHECK (octet_length("conversation") = 32),
	"number" bigint NOT NULL CHECK ("number" >= 1),
	"requester" bytea NOT NULL CHECK (octet_length("requester") = 32),
	"target" bytea NOT NULL CHECK (octet_length("target") = 32),
	"signature" bytea NOT NULL CHECK (octet_length("signature") = 114),
	"at" bigint NOT NULL CHECK ("at" >= 0),
	"answered" bigint NOT NULL CHECK ("answered" BETWEEN 0 AND 1),
	PRIMARY KEY ("request"),
	FOREIGN KEY ("conversation", "number") REFERENCES "relay_sessions" ("conversation", "number"),
	FOREIGN KEY ("requester") REFERENCES "relay_devices" ("device"),
	FOREIGN KEY ("target") REFERENCES "relay_devices" ("device")
);

CREATE UNIQUE INDEX "relay_requests_once" ON "relay_requests" ("conversation", "number", "requester", "target");

CREATE INDEX "relay_requests_requester" ON "relay_requests" ("requester", "answered");

CREATE INDEX "relay_requests_open" ON "relay_requests" ("answered", "at");

CREATE TABLE "relay_answers" (
	"request" bytea NOT NULL CHECK (octet_length("request") = 32),
	"device" bytea NOT NULL CHECK (octet_length("device") = 32),
	"ephemeral" bytea NOT NULL CHECK (octet_length("ephemeral") = 57),
	"sealed" bytea NOT NULL CHECK (octet_length("sealed") BETWEEN 1 AND 65536),
	PRIMARY KEY ("request"),
	FOREIGN KEY ("request") REFERENCES "relay_requests" ("request"),
	FOREIGN KEY ("device") REFERENCES "relay_devices" ("device")
);

CREATE TABLE "relay_mailboxes" (
	"device" bytea NOT NULL CHECK (octet_length("device") = 32),
	"last" bigint NOT NULL CHECK ("last" >= 0),
	"topics" bigint NOT NULL CHECK ("topics" >= 0),
	PRIMARY KEY ("device"),
	FOREIGN KEY ("device") REFERENCES "relay_devices" ("device")
);

CREATE TABLE "relay_subscriptions" (
	"topic" bytea NOT NULL CHECK (octet_length("topic") BETWEEN 1 AND 128),
	"device" bytea NOT NULL CHECK (octet_length("device") = 32),
	PRIMARY KEY ("topic", "device"),
	FOREIGN KEY ("device") REFERENCES "relay_mailboxes" ("device")
);

CREATE INDEX "relay_subscriptions_device" ON "relay_subscriptions" ("device");

CREATE TABLE "relay_messages" (
	"message" bytea NOT NULL CHECK (octet_length("message") = 16),
	"kind" bigint NOT NULL CHECK ("kind" BETWEEN 1 AND 7),
	"topic" bytea NOT NULL CHECK (octet_length("topic") BETWEEN 1 AND 128),
	"sender" bytea NOT NULL CHECK (octet_length("sender") = 32),
	"request" bytea NOT NULL CHECK (octet_length("request") = 16),
	"at" bigint NOT NULL CHECK ("at" >= 0),
	"data" bytea NOT NULL CHECK (octet_length("data") BETWEEN 0 AND 2097152),
	PRIMARY KEY ("message"),
	FOREIGN KEY ("sender") REFERENCES "relay_devices" ("device")
);

CREATE UNIQUE INDEX "relay_messages_once" ON "relay_messages" ("sender", "request");

CREATE INDEX "relay_messages_at" ON "relay_messages" ("at");

CREATE TABLE "relay_items" (
	"device" bytea NOT NULL CHECK (octet_length("device") = 32),
	"seq" bigint NOT NULL CHECK ("seq" >= 1),
	"message" bytea NOT NULL CHECK (octet_length("message") = 16),
	"kind" bigint NOT NULL CHECK ("kind" BETWEEN 1 AND 7),
	"topic" bytea NOT NULL CHECK (octet_length("topic") BETWEEN 1 AND 128),
	"sender" bytea NOT NULL CHECK (octet_length("sender") = 32),
	"size" bigint NOT NULL CHECK ("size" >= 0),
	PRIMARY KEY ("device", "seq"),
	FOREIGN KEY ("device") REFERENCES "relay_mailboxes" ("device"),
	FOREIGN KEY ("message") REFERENCES "relay_messages" ("message"),
	FOREIGN KEY ("sender") REFERENCES "relay_persons" ("address")
);

CREATE INDEX "relay_items_message" ON "relay_items" ("message");

CREATE TABLE "relay_tombstones" (
	"device" bytea NOT NULL CHECK (octet_length("device") = 32),
	"topic" bytea NOT NULL CHECK (octet_length("topic") BETWEEN 1 AND 128),
	"reason" bigint NOT NULL CHECK ("reason" BETWEEN 1 AND 2),
	"seq" bigint NOT NULL CHECK ("seq" >= 1),
	"count" bigint NOT NULL CHECK ("count" >= 1),
	PRIMARY KEY ("device", "topic", "reason"),
	FOREIGN KEY ("device") REFERENCES "relay_mailboxes" ("device")
);

CREATE UNIQUE INDEX "relay_tombstones_seq" ON "relay_tombstones" ("device", "seq");

CREATE TABLE "relay_settled" (
	"message" bytea NOT NULL CHECK (octet_length("message") = 16),
	"device" bytea NOT NULL CHECK (octet_length("device") = 32),
	PRIMARY KEY ("message", "device"),
	FOREIGN KEY ("message") REFERENCES "relay_messages" ("message"),
	FOREIGN KEY ("device") REFERENCES "relay_mailboxes" ("device")
);

CREATE TABLE "relay_usage" (
	"sender" bytea NOT NULL CHECK (octet_length("sender") = 32),
	"device" bytea NOT NULL CHECK (octet_length("device") = 32),
	"size" bigint NOT NULL CHECK ("size" >= 0),
	PRIMARY KEY ("sender", "device"),
	FOREIGN KEY ("sender") REFERENCES "relay_persons" ("address"),
	FOREIGN KEY ("device") REFERENCES "relay_mailboxes" ("device")
);

CREATE TABLE "relay_freed" (
	"sender" bytea NOT NULL CHECK (octet_length("sender") = 32),
	"device" bytea NOT NULL CHECK (octet_length("device") = 32),
	"size" bigint NOT NULL CHECK ("size" >= 1),
	PRIMARY KEY ("sender", "device"),
	FOREIGN KEY ("sender", "device") REFERENCES "relay_usage" ("sender", "device")
);

CREATE TABLE "relay_blobs" (
	"owner" bytea NOT NULL CHECK (octet_length("owner") = 32),
	"address" bytea NOT NULL CHECK (octet_length("address") = 32),
	"size" bigint NOT NULL CHECK ("size" >= 1),
	"received" bigint NOT NULL CHECK ("received" >= 0),
	"digest" bytea NOT NULL CHECK (octet_length("digest") BETWEEN 1 AND 256),
	"at" bigint NOT NULL CHECK ("at" >= 0),
	PRIMARY KEY ("owner", "address"),
	FOREIGN KEY ("owner") REFERENCES "relay_persons" ("address")
);

CREATE INDEX "relay_blobs_address" ON "relay_blobs" ("address");

CREATE INDEX "relay_blobs_at" ON "relay_blobs" ("at");

CREATE TABLE "relay_chunks" (
	"owner" bytea NOT NULL CHECK (octet_length("owner") = 32),
	"address" bytea NOT NULL CHECK (octet_length("address") = 32),
	"start" bigint NOT NULL CHECK ("start" >= 0),
	"data" bytea NOT NULL CHECK (octet_length("data") BETWEEN 1 AND 262144),
	PRIMARY KEY ("owner", "address", "start"),
	FOREIGN KEY ("owner", "address") REFERENCES "relay_blobs" ("owner", "address")
);

CREATE TABLE "relay_storage" (
	"person" bytea NOT NULL CHECK (octet_length("person") = 32),
	"size" bigint NOT NULL CHECK ("size" >= 0),
	PRIMARY KEY ("person"),
	FOREIGN KEY ("person") REFERENCES "relay_persons" ("address")
);
