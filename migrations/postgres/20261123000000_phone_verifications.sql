-- What became of each SMS and its code, for whoever looks into a bill or a complaint. Neither the code nor the phone is
-- here: the user leads to the phone. Written in batches, some moments after the fact and in any order, so most columns
-- may be NULL for a while. No foreign key: one vanished user would fail the whole batch.
CREATE TABLE phone_verifications (
    challenge_id uuid        PRIMARY KEY,
    -- Whose phone it went to.
    user_id      uuid,
    -- What the code was for.
    purpose      text        NOT NULL,
    -- Where the phone belongs, ISO 3166-1.
    country      text,
    -- Who carried the SMS, and what he calls it.
    provider     text,
    message_id   text,
    -- issued, sent, failed, undelivered, delivered, verified: how far it came.
    state        text        NOT NULL,
    -- Wrong codes that were entered.
    attempts     smallint    NOT NULL DEFAULT 0,
    -- The provider's own.
    error_code   bigint,
    -- In millionths of the currency (ISO 4217).
    price_micros bigint,
    currency     text,
    created_at   timestamptz NOT NULL,
    sent_at      timestamptz,
    delivered_at timestamptz,
    verified_at  timestamptz
);

-- A user's, the newest first.
CREATE INDEX phone_verifications_user ON phone_verifications (user_id, created_at);

-- What housekeeping deletes.
CREATE INDEX phone_verifications_age ON phone_verifications (created_at);
