-- The same tables as in migrations/postgres, where each column is explained. Identifiers are text, as an operator would
-- type them; times are microseconds since 1970 in UTC, so that they compare as numbers.
--
-- Expand and contract holds here too, although one process at a time is the rule: an older version can be started again.

-- Who has an account.
CREATE TABLE users (
    id             TEXT    NOT NULL PRIMARY KEY,
    email          TEXT,
    email_key      TEXT    UNIQUE,
    phone          TEXT    NOT NULL,
    first_name     TEXT    NOT NULL,
    last_name      TEXT    NOT NULL,
    last_name_key  TEXT    NOT NULL DEFAULT '',
    password_hash  TEXT,
    hash_cost      TEXT,
    phone_verified INTEGER NOT NULL DEFAULT 0,
    email_verified INTEGER NOT NULL DEFAULT 0,
    phone_claimed_at INTEGER,
    phone_owned_at INTEGER,
    email_owned_at INTEGER,
    session_epoch  INTEGER NOT NULL DEFAULT 0,
    sessions_ended_at INTEGER,
    password_reset_at INTEGER,
    address_changed_at INTEGER,
    signed_in_at   INTEGER,
    imported_at    INTEGER,
    locked_at      INTEGER,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT;

-- Who claims a phone, the oldest account first.
CREATE INDEX users_phone ON users (phone, id);
-- At most one account has a phone verified.
CREATE UNIQUE INDEX users_phone_verified ON users (phone) WHERE phone_verified;
-- Which costs of other systems' hashes there are.
CREATE INDEX users_hash_cost ON users (hash_cost) WHERE hash_cost IS NOT NULL;
-- Whose last name begins alike.
CREATE INDEX users_last_name ON users (last_name_key, id) WHERE last_name_key <> '';
-- Who is locked.
CREATE INDEX users_locked ON users (id) WHERE locked_at IS NOT NULL;

-- Who is signed in where.
CREATE TABLE sessions (
    id            TEXT    NOT NULL PRIMARY KEY,
    user_id       TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    generation    INTEGER NOT NULL DEFAULT 0,
    refresh_hash  BLOB    NOT NULL,
    previous_hash BLOB,
    spent         TEXT    NOT NULL DEFAULT '',
    shown         INTEGER NOT NULL DEFAULT 0,
    epoch         INTEGER NOT NULL DEFAULT 0,
    amr           TEXT    NOT NULL DEFAULT 'pwd',
    authenticated_at INTEGER,
    role          TEXT,
    client        TEXT,
    network       TEXT,
    last_used_at  INTEGER,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    revoked_at    INTEGER
) STRICT;

-- A user's sessions, and the cascade.
CREATE INDEX sessions_user ON sessions (user_id);

-- What housekeeping deletes.
CREATE INDEX sessions_expiry ON sessions (expires_at);
