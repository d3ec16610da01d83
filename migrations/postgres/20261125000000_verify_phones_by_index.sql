-- The same function, whose look for whoever has a phone is a subquery that the planner can't turn into a join. Planned
-- while hardly any phone was verified, the join read all that were verified since for each one, until the next ANALYZE.
CREATE OR REPLACE FUNCTION verify_phones(phones text[], claimants uuid[], times timestamptz[])
RETURNS TABLE (phone text, user_id uuid)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
BEGIN
    PERFORM pg_advisory_xact_lock(1382641255, turn) FROM
        (SELECT DISTINCT hashtext(a.phone) AS turn FROM unnest(phones) AS a (phone) ORDER BY turn) AS turns;
    RETURN QUERY
        UPDATE users u SET phone_verified = true, updated_at = a.now
        FROM unnest(phones, claimants, times) AS a (phone, claimant, now)
        WHERE u.phone = a.phone AND NOT u.phone_verified
          AND (SELECT o.id FROM users o WHERE o.phone = a.phone AND o.phone_verified) IS NULL
          AND (u.id = a.claimant OR a.claimant IS NULL AND 1 = (SELECT count(*) FROM
            (SELECT FROM users c WHERE c.phone = a.phone AND NOT c.phone_verified LIMIT 2) c))
        RETURNING u.phone, u.id;
END
$$;
