-- The same tables as in migrations/postgres, where each column is explained.
CREATE TABLE events (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT    NOT NULL UNIQUE,
    at       INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    actor    TEXT    NOT NULL,
    actor_id TEXT,
    user_id  TEXT,
    network  TEXT,
    reason   TEXT,
    details  TEXT    NOT NULL DEFAULT '{}',
    times    INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE INDEX events_user ON events (user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX events_administrator ON events (actor_id) WHERE actor = 'administrator';
CREATE INDEX events_kind ON events (kind, id);
CREATE INDEX events_networks ON events (user_id, network, at) WHERE kind = 'session.opened' AND network IS NOT NULL;
CREATE INDEX events_age ON events (at);

CREATE TABLE notices (
    id         TEXT    NOT NULL PRIMARY KEY,
    user_id    TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    channel    TEXT    NOT NULL,
    address    TEXT    NOT NULL,
    address_key TEXT,
    language   TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    leased_until INTEGER,
    attempts   INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX notices_due ON notices (leased_until, id);

CREATE TABLE event_webhooks (
    name     TEXT    NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT;

CREATE TABLE event_deliveries (
    webhook    TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    lane       TEXT,
    due_at     INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (webhook, seq)
) STRICT;

CREATE INDEX event_deliveries_due ON event_deliveries (webhook, due_at, seq);
CREATE INDEX event_deliveries_lane ON event_deliveries (webhook, lane, seq) WHERE lane IS NOT NULL;
