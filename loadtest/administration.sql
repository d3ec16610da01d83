-- :rows accounts, as many events, 0.2 s apart up to now, and a tenth as many messages, for loadtest/administration. Ten million take five
-- minutes and 8 GB. The indexes are made once the rows are there.
SET synchronous_commit = off;
SET maintenance_work_mem = '1GB';
CREATE TEMP TABLE kept AS SELECT replace(indexdef, ' ON ONLY ', ' ON ') AS indexdef FROM pg_indexes WHERE tablename IN ('users', 'events') AND indexname NOT IN ('users_pkey', 'events_pkey', 'users_email_key');
DO $$ DECLARE d record; BEGIN FOR d IN SELECT indexname FROM pg_indexes WHERE tablename IN ('users','events') AND indexname NOT IN ('users_pkey','events_pkey','users_email_key') LOOP EXECUTE 'DROP INDEX ' || d.indexname; END LOOP; END $$;
ALTER TABLE users DROP CONSTRAINT users_email_key;
INSERT INTO users (id, email, email_key, phone, first_name, last_name, last_name_key, password_hash, phone_verified, locked_at, created_at, updated_at)
SELECT ('01900000-' || lpad(to_hex(n >> 16), 4, '0') || '-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
       substr(md5(n::text), 1, 6) || n || '@example.com', substr(md5(n::text), 1, 6) || n || '@example.com',
       '+1' || (ARRAY['415', '212', '312'])[1 + n / 8000000] || (2000000 + n % 8000000),
       'Load', initcap(substr(md5((n * 7)::text), 1, 5)), substr(md5((n * 7)::text), 1, 5), '-', n % 5 < 3, CASE WHEN n % 1000 = 0 THEN now() END, now(), now()
FROM generate_series(0, (:rows - 1)) AS n;
ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email_key);
CREATE TEMP TABLE happened AS
SELECT n, now() - (:rows - n) * interval '0.2 seconds' AS at, ('01900000-' || lpad(to_hex(m >> 16), 4, '0') || '-7000-8000-' || lpad(to_hex(m), 12, '0'))::uuid AS u
FROM (SELECT n, (n::bigint * 7919 % :rows)::int AS m FROM generate_series(0, (:rows - 1)) AS n) a;
INSERT INTO events (id, at, kind, actor, actor_id, user_id, network)
SELECT (substr(ms, 1, 8) || '-' || substr(ms, 9, 4) || '-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, at,
       (ARRAY['session.opened','account.registered','account.updated','login.failed'])[1 + n % 4], 'user', u, u, '203.0.113.0/24'
FROM (SELECT *, lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS ms FROM happened) h;
INSERT INTO verifications (challenge_id, user_id, purpose, channel, country, provider, status, price_micros, currency, created_at, sent_at, settled_at, verified_at)
SELECT (lpad(to_hex((extract(epoch FROM at) / 86400)::int), 4, '0') || substr(md5(n::text), 1, 28))::uuid, u, 'phone_verification', 'sms', (ARRAY['US','GB','DE'])[1 + n / 10 % 3],
       'twilio', 'delivered', 7900, 'USD', at, at, at, CASE WHEN n % 80 > 0 THEN at END
FROM happened WHERE n % 10 = 0;
DO $$ DECLARE d record; BEGIN FOR d IN SELECT indexdef FROM kept LOOP EXECUTE d.indexdef; END LOOP; END $$;
VACUUM ANALYZE users; VACUUM ANALYZE events; VACUUM ANALYZE verifications;
SELECT pg_size_pretty(pg_database_size(current_database()));
