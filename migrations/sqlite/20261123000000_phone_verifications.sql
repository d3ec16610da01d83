-- The same table as in migrations/postgres, where each column is explained.
CREATE TABLE phone_verifications (
    challenge_id TEXT    NOT NULL PRIMARY KEY,
    user_id      TEXT,
    purpose      TEXT    NOT NULL,
    country      TEXT,
    provider     TEXT,
    message_id   TEXT,
    state        TEXT    NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    error_code   INTEGER,
    price_micros INTEGER,
    currency     TEXT,
    created_at   INTEGER NOT NULL,
    sent_at      INTEGER,
    delivered_at INTEGER,
    verified_at  INTEGER
) STRICT;

-- A user's, the newest first.
CREATE INDEX phone_verifications_user ON phone_verifications (user_id, created_at);

-- What housekeeping deletes.
CREATE INDEX phone_verifications_age ON phone_verifications (created_at);
