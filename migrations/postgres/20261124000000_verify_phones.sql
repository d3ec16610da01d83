-- Whether a phone that several accounts claim is verified for one of them, which claimed it then: if none has verified it, and it was
-- typed by that account, or no other claim counts. A function of its own: most calls of `verify_phones` never ask it, and needn't
-- prepare its looks.
CREATE FUNCTION may_be_verified(phone text, claimant uuid, claimed_at timestamptz, live_since timestamptz) RETURNS boolean
STABLE
LANGUAGE plpgsql
AS $$
BEGIN
    RETURN (SELECT o.id FROM users o WHERE o.phone = $1 AND o.phone_verified) IS NULL
      AND (claimant IS NOT NULL
        OR 1 = (SELECT count(*) FROM
          (SELECT FROM users c WHERE c.phone = $1 AND NOT c.phone_verified AND c.locked_at IS NULL LIMIT 2) c)
        OR claimed_at >= live_since AND 1 = (SELECT count(*) FROM
          (SELECT FROM users c WHERE c.phone = $1 AND NOT c.phone_verified AND c.locked_at IS NULL
            AND COALESCE(c.phone_claimed_at, c.created_at) >= $4 LIMIT 2) c));
END
$$;

-- Verifies phones that differ, each for the account that claims it: for a given claimant, or for anyone (NULL) if exactly
-- one account claims it, or of several exactly one whose claim has not lapsed. Gives the phones that it verified, with their
-- users, and notes the event of each, whose columns but for its user and its time the last six arrays are. A locked account
-- proves nothing, and its claim counts nowhere.
--
-- A function, since its two statements would be four round trips with a transaction around them. Each has a snapshot of its
-- own, so the second sees what was committed while the first waited.
--
-- The unique index decides who has a phone. That callers for one phone come one after the other is for the server's log: the
-- error of a lost race would be written there, phone and all. Taken in order, so that no two calls wait for each other.
--
-- Of most phones no other account knows, which is one look; only where one does, `may_be_verified` tells what to make of it. The look
-- is a subquery that the planner can't turn into a join: planned while hardly any phone was claimed, a join would read all that were
-- since for each one, until the next ANALYZE.
CREATE FUNCTION verify_phones(phones text[], claimants uuid[], times timestamptz[], live_since timestamptz[],
  events uuid[], kinds text[], actors text[], actor_ids uuid[], networks text[], details text[])
RETURNS TABLE (phone text, user_id uuid)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
BEGIN
    PERFORM pg_advisory_xact_lock(1382641255, turn) FROM
        (SELECT hashtext(a.phone) AS turn FROM unnest(phones) AS a (phone) ORDER BY turn) AS turns;
    RETURN QUERY WITH verified AS (
        UPDATE users u SET phone_verified = true, updated_at = times[n],
            -- Typed by whoever the account is: from then on the phone opens it.
            phone_owned_at = CASE WHEN claimants[n] IS NULL THEN NULL ELSE times[n] END
        FROM unnest(phones) WITH ORDINALITY AS a (phone, n)
        WHERE u.phone = a.phone AND NOT u.phone_verified AND u.locked_at IS NULL
          AND (claimants[n] IS NULL OR u.id = claimants[n])
          AND ((SELECT o.id FROM users o WHERE o.phone = a.phone AND o.id <> u.id LIMIT 1) IS NULL
            OR may_be_verified(a.phone, claimants[n], COALESCE(u.phone_claimed_at, u.created_at), live_since[n]))
        RETURNING u.phone, u.id, n
    ), noted AS (
        INSERT INTO events (id, at, kind, actor, actor_id, user_id, network, details)
        SELECT events[n], times[n], kinds[n], actors[n],
          CASE actors[n] WHEN 'user' THEN coalesce(actor_ids[n], v.id) ELSE actor_ids[n] END, v.id, networks[n], details[n]
        FROM verified v
    ) SELECT v.phone, v.id FROM verified v;
END
$$;
