-- Migrations are expand-and-contract: a new version of the service adds what it needs, the version before runs on
-- beside it, and only a later migration takes away what nobody uses any more. So columns that are added have a default
-- or may be NULL, and none is renamed or changes its meaning. Indexes on tables that have grown are made
-- CONCURRENTLY, in a file of their own that begins with "-- no-transaction". PostgreSQL can't do so on a partitioned
-- table: there the index is made ON ONLY it, then CONCURRENTLY on each partition, which is attached to it.
--
-- What an index holds is compared byte by byte (COLLATE "C"): by a language's rules each look takes a multiple.
--
-- All times are the service's clock, passed in with each statement; the database's own clock is not asked.

-- Who has an account.
CREATE TABLE users (
    id             uuid        PRIMARY KEY,
    -- As it was typed, to be shown and written to. NULL: whoever owns the address took it.
    email          text,
    -- Lower case of the NFKC form, the domain in ASCII: what makes two spellings one account. Compared byte by byte, so that
    -- its index finds all that begin alike.
    email_key      text        COLLATE "C" CONSTRAINT users_email_key UNIQUE,
    -- E.164. A claim, until phone_verified.
    phone          text        COLLATE "C" NOT NULL,
    first_name     text        NOT NULL,
    last_name      text        NOT NULL,
    -- Lower case of its NFKC form: what administrators search.
    last_name_key  text        COLLATE "C" NOT NULL DEFAULT '',
    -- A PHC string, which carries its own parameters, or what another system made of a password. NULL: no password yet.
    password_hash  text,
    -- What the hash costs, as "pbkdf2_sha256 1000000", while it is one that another system made. NULL: made here.
    hash_cost      text        COLLATE "C",
    phone_verified boolean     NOT NULL DEFAULT false,
    email_verified boolean     NOT NULL DEFAULT false,
    -- Set by an operator: no login, and no open session is good any more. NULL: not locked. Stands near what a row is looked up
    -- by, since PostgreSQL walks through all columns before the one that it wants.
    locked_at      timestamptz,
    -- When the phone was claimed: an unproven claim lapses. NULL: when the account was made.
    phone_claimed_at timestamptz,
    -- When a code for the address was last entered with the account's own token, or at registration: only then it is good
    -- for sign-in and reset. NULL: never.
    phone_owned_at timestamptz,
    email_owned_at timestamptz,
    -- Sessions of an older epoch have ended. Raised by a lock, a reset and a change of password.
    session_epoch  bigint      NOT NULL DEFAULT 0,
    -- When it was last raised: codes for sign-in and reset that were issued before open nothing. NULL: never.
    sessions_ended_at timestamptz,
    -- When a code set the password anew. NULL: never.
    password_reset_at timestamptz,
    -- When the phone or the e-mail address was last put in another's place. NULL: never.
    address_changed_at timestamptz,
    -- When a session was last opened. NULL: when the account was made.
    signed_in_at   timestamptz,
    -- When the account was taken over from another system. NULL: it was made here.
    imported_at    timestamptz,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL
);

-- Who claims a phone, the oldest account first (identifiers sort by time).
CREATE INDEX users_phone ON users (phone, id);
-- Any number of accounts may claim a phone, at most one has it verified: this decides every race.
CREATE UNIQUE INDEX users_phone_verified ON users (phone) WHERE phone_verified;
-- Which costs there are.
CREATE INDEX users_hash_cost ON users (hash_cost) WHERE hash_cost IS NOT NULL;
-- Whose last name begins alike.
CREATE INDEX users_last_name ON users (last_name_key, id) WHERE last_name_key <> '';
-- Who is locked.
CREATE INDEX users_locked ON users (id) WHERE locked_at IS NOT NULL;

-- Who is signed in where. A session is a chain of refresh tokens, of which the last is good.
CREATE TABLE sessions (
    id            uuid        PRIMARY KEY,
    user_id       uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- How often its token was replaced.
    generation    bigint      NOT NULL DEFAULT 0,
    -- Digest of the current refresh token; the token itself is nowhere.
    refresh_hash  bytea       NOT NULL,
    -- Digest of the one before: for an answer that was lost.
    previous_hash bytea,
    -- When the last 16 tokens were spent, in microseconds of 16 digits each, the latest first: for several tabs.
    spent         text        NOT NULL DEFAULT '',
    -- The highest generation of which a token was shown: until the current one's is, the one before is still good.
    shown         bigint      NOT NULL DEFAULT 0,
    -- The user's session_epoch when it was opened: of an older one, it has ended.
    epoch         bigint      NOT NULL DEFAULT 0,
    -- How it was opened (RFC 8176): words with spaces between, as "pwd" or "otp sms". When whoever opened it last
    -- proved who they are; NULL: when it was opened.
    amr           text        NOT NULL DEFAULT 'pwd',
    authenticated_at timestamptz,
    -- What its tokens say of an administrator who gave a second proof for it. NULL: it administers nothing.
    role          text,
    -- Who opened it: browser and system in words, and the network, cut to /24 or /48. NULL: not known.
    client        text,
    network       text,
    -- When it was last used, noted in batches some moments later. NULL: not since it was opened.
    last_used_at  timestamptz,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    -- By a logout, or because an old token was shown. NULL: not revoked.
    revoked_at    timestamptz
);

-- A user's sessions, and the cascade.
CREATE INDEX sessions_user ON sessions (user_id);

-- What housekeeping deletes.
CREATE INDEX sessions_expiry ON sessions (expires_at);
