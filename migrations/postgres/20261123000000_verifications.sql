-- What became of each message and its code, for whoever looks into a bill or a complaint. Neither the code nor the address
-- is here: the user leads to it. Written in batches, some moments after the fact and in any order, so most columns may be
-- NULL for a while. No foreign key: one vanished user would fail the whole batch.
-- Each month has a partition, which the service makes and drops (`src/database/months`).
CREATE TABLE verifications (
    -- Begins with the number of the day on which it was issued.
    challenge_id uuid        PRIMARY KEY,
    -- To whose account it went.
    user_id      uuid,
    -- What the code was for, and how it travelled.
    purpose      text,
    channel      text,
    -- Where a phone belongs, ISO 3166-1; NULL for an e-mail.
    country      text        COLLATE "C",
    -- Who carried the message, and its name there.
    provider     text,
    message_id   text,
    -- queued, sent, delivered, undelivered, failed. The last three are final: what is told later changes them no more.
    status       text        NOT NULL,
    -- Its status, where the message did not arrive. It stands in an index in place of the status, which changes with each step of a
    -- message: rows whose indexes stay as they are change within their page.
    failure      text        COLLATE "C",
    -- Wrong codes that were entered.
    attempts     smallint    NOT NULL DEFAULT 0,
    -- The provider's own, of this very status.
    error_code   bigint,
    -- In millionths of the currency (ISO 4217).
    price_micros bigint,
    currency     text,
    created_at   timestamptz NOT NULL,
    sent_at      timestamptz,
    -- When its status became final.
    settled_at   timestamptz,
    -- When the right code was entered, whatever the provider told.
    verified_at  timestamptz
) PARTITION BY RANGE (challenge_id);

-- What no month has a partition for. With it an insert never fails for want of one.
CREATE TABLE verifications_rest PARTITION OF verifications DEFAULT WITH (fillfactor = 80);

-- A user's, the newest first.
CREATE INDEX verifications_user ON verifications (user_id, created_at);

-- What housekeeping deletes.
CREATE INDEX verifications_age ON verifications (created_at);

-- Adds what was typed to the rows of challenges that are there, in the order in which they are given, and tells which are.
-- Who gives them sorted waits for nobody in a circle; an erasure, which takes a user's rows in another order, comes before or after.
--
-- A function, for the plan: each row is looked for by the primary key. By the statistics of a month that has just begun, the
-- whole table would be read.
CREATE FUNCTION note_typed(ids uuid[], typed smallint[], told timestamptz[], verified timestamptz[]) RETURNS SETOF uuid
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1382641257, 0);
    RETURN QUERY UPDATE verifications v SET
        attempts = GREATEST(v.attempts, typed[n]),
        created_at = LEAST(v.created_at, told[n]),
        verified_at = LEAST(v.verified_at, verified[n])
    FROM unnest(ids) WITH ORDINALITY AS a (id, n)
    WHERE v.challenge_id = a.id
    RETURNING v.challenge_id;
END
$$;
