-- The same table as in migrations/postgres, where each column is explained.
CREATE TABLE administrators (
    user_id    TEXT    NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    role       TEXT    NOT NULL,
    granted_by TEXT,
    granted_at INTEGER NOT NULL
) STRICT;

CREATE INDEX verifications_country ON verifications (country, created_at, challenge_id) WHERE country IS NOT NULL;
CREATE INDEX verifications_failed ON verifications (failure, created_at, challenge_id) WHERE failure IS NOT NULL;
