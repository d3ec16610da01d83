-- The same table as in migrations/postgres, where each column is explained.
CREATE TABLE verifications (
    challenge_id TEXT    NOT NULL PRIMARY KEY,
    user_id      TEXT,
    purpose      TEXT,
    channel      TEXT,
    country      TEXT,
    provider     TEXT,
    message_id   TEXT,
    status       TEXT    NOT NULL,
    failure      TEXT,
    attempts     INTEGER NOT NULL DEFAULT 0,
    error_code   INTEGER,
    price_micros INTEGER,
    currency     TEXT,
    created_at   INTEGER NOT NULL,
    sent_at      INTEGER,
    settled_at   INTEGER,
    verified_at  INTEGER
) STRICT;

-- A user's, the newest first.
CREATE INDEX verifications_user ON verifications (user_id, created_at);

-- What housekeeping deletes.
CREATE INDEX verifications_age ON verifications (created_at);
