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
-- Of most phones no other account knows, which is one look; only where one does, three more tell what to make of it. All are
-- subqueries that the planner can't turn into a join: planned while hardly any phone was verified, a join would read all that
-- were verified since for each one, until the next ANALYZE.
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
        UPDATE users u SET phone_verified = true, updated_at = a.now,
            -- Typed by whoever the account is: from then on the phone opens it.
            phone_owned_at = CASE WHEN a.claimant IS NULL THEN NULL ELSE a.now END
        FROM unnest(phones, claimants, times, live_since, events, kinds, actors, actor_ids, networks, details)
          AS a (phone, claimant, now, live_since, event, kind, actor, actor_id, network, details)
        WHERE u.phone = a.phone AND NOT u.phone_verified AND u.locked_at IS NULL
          AND (a.claimant IS NULL OR u.id = a.claimant)
          AND ((SELECT o.id FROM users o WHERE o.phone = a.phone AND o.id <> u.id LIMIT 1) IS NULL
            OR (SELECT o.id FROM users o WHERE o.phone = a.phone AND o.phone_verified) IS NULL
            AND (a.claimant IS NOT NULL OR 1 = (SELECT count(*) FROM
                (SELECT FROM users c WHERE c.phone = a.phone AND NOT c.phone_verified AND c.locked_at IS NULL LIMIT 2) c)
              OR COALESCE(u.phone_claimed_at, u.created_at) >= a.live_since AND 1 = (SELECT count(*) FROM
                (SELECT FROM users c WHERE c.phone = a.phone AND NOT c.phone_verified AND c.locked_at IS NULL
                  AND COALESCE(c.phone_claimed_at, c.created_at) >= a.live_since LIMIT 2) c)))
        RETURNING u.phone, u.id, a.now, a.event, a.kind, a.actor, a.actor_id, a.network, a.details
    ), noted AS (
        INSERT INTO events (id, at, kind, actor, actor_id, user_id, network, details)
        SELECT v.event, v.now, v.kind, v.actor, CASE v.actor WHEN 'user' THEN coalesce(v.actor_id, v.id) ELSE v.actor_id END,
          v.id, v.network, v.details
        FROM verified v
    ) SELECT v.phone, v.id FROM verified v;
END
$$;
