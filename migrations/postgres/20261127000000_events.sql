-- The place of an event among all.
CREATE SEQUENCE events_place;

-- What happened: each change of an account, a session, a proof or a lock, written in the transaction of the change; and
-- refusals, one row for each kind, key and minute of an instance. Rows are never changed or deleted but by erasure, which
-- takes out whose they were, and by retention. Each month has a partition, which the service makes and drops
-- (`src/database/months`).
CREATE TABLE events (
    -- Sorts by time: a UUID of version 7.
    id       uuid        PRIMARY KEY,
    at       timestamptz NOT NULL,
    -- As "password.changed".
    kind     text        COLLATE "C" NOT NULL,
    -- Who did it: user, administrator, system, or anyone (nobody was signed in).
    actor    text        NOT NULL,
    actor_id uuid,
    -- Whose account it is about.
    user_id  uuid,
    -- The client's network, cut to /24 or /48.
    network  text        COLLATE "C",
    -- What an administrator gave as the reason.
    reason   text,
    -- A JSON object, without any address, code, token or password.
    details  text        NOT NULL DEFAULT '{}',
    -- How many times, where refusals are counted together.
    times    integer     NOT NULL DEFAULT 1,
    -- Its place. Of two changes of which one began after the other was committed, the later has the higher. The transaction has
    -- its number before it takes a place: whoever reads events in their order knows by it which may yet be committed.
    seq      bigint      NOT NULL DEFAULT (CASE WHEN pg_current_xact_id() IS NOT NULL THEN nextval('events_place') END)
) PARTITION BY RANGE (id);

-- What no month has a partition for. With it an insert never fails for want of one.
CREATE TABLE events_rest PARTITION OF events DEFAULT;

-- No two are equal: they are of a sequence. A unique index would have to hold the id as well.
CREATE INDEX events_seq ON events (seq);

-- A user's, the newest first.
CREATE INDEX events_user ON events (user_id, id) WHERE user_id IS NOT NULL;
-- What an administrator did, should their own account be erased.
CREATE INDEX events_administrator ON events (actor_id) WHERE actor = 'administrator';
-- Those of a kind, the newest first.
CREATE INDEX events_kind ON events (kind, id);
-- From which networks an account was signed in to.
CREATE INDEX events_networks ON events (user_id, network, at) WHERE kind = 'session.opened' AND network IS NOT NULL;

-- Notices that are on their way to users: written in the transaction of the change they tell about, deleted once a
-- provider has taken them or their time is over. It may go to an address that the account has no more, so the address is
-- here meanwhile.
CREATE TABLE notices (
    id         uuid        PRIMARY KEY,
    user_id    uuid        NOT NULL,
    -- The name of its text, as "password_changed".
    kind       text        NOT NULL,
    channel    text        NOT NULL,
    address    text        NOT NULL,
    -- For an e-mail: its key.
    address_key text,
    -- What it is written in; NULL: the default.
    language   text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- Whoever sends it has it until then.
    leased_until timestamptz,
    -- How many times it was tried.
    attempts   smallint    NOT NULL DEFAULT 0
);

-- What is due.
CREATE INDEX notices_due ON notices (leased_until, id);

-- Webhooks of events: up to which place each has been told of them.
CREATE TABLE event_webhooks (
    name     text   COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL
);

-- Events that a webhook is yet to be told of. It has nothing about anybody: what an event says is in `events` alone.
CREATE TABLE event_deliveries (
    webhook    text        COLLATE "C" NOT NULL,
    seq        bigint      NOT NULL,
    -- Its id, by which it is found in its month.
    event      uuid        NOT NULL,
    -- What keeps the events of one account in order: the end of its id. NULL: of none.
    lane       text        COLLATE "C",
    -- When it is sent next; whoever sends it has it until then.
    due_at     timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    -- How many times it was tried.
    attempts   integer     NOT NULL DEFAULT 0,
    PRIMARY KEY (webhook, seq)
);

-- What is due, and what stands before it.
CREATE INDEX event_deliveries_due ON event_deliveries (webhook, due_at, seq);
CREATE INDEX event_deliveries_lane ON event_deliveries (webhook, lane, seq) WHERE lane IS NOT NULL;
