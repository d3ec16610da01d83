-- Who may administer, and how far. Nothing is granted by what an account says of itself: the row alone counts, and it is
-- looked up for each request of an administrator.
CREATE TABLE administrators (
    user_id    uuid        PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    -- support or admin.
    role       text        NOT NULL,
    -- Who granted it. NULL: an operator, on the command line.
    granted_by uuid,
    granted_at timestamptz NOT NULL
);

-- What administrators look through besides: messages of a country, and those that did not arrive, the newest first.
CREATE INDEX verifications_country ON verifications (country, created_at, challenge_id) WHERE country IS NOT NULL;
CREATE INDEX verifications_failed ON verifications (failure, created_at, challenge_id) WHERE failure IS NOT NULL;
