-- Ten million accounts and as many events, for the figures of docs/admin.md, in an empty database that `ringback migrate` has made:
-- psql -v ON_ERROR_STOP=1 -f loadtest/administration.sql. It takes ten minutes and 7 GB. The indexes are made once the rows are there.
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
FROM generate_series(0, 9999999) AS n;
ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email_key);
INSERT INTO events (id, at, kind, actor, actor_id, user_id, network)
SELECT ('019a0000-' || lpad(to_hex(n >> 16), 4, '0') || '-7000-8000-' || lpad(to_hex(n), 12, '0'))::text::uuid, now() - (10000000 - n) * interval '0.2 seconds',
       (ARRAY['session.opened','session.ended','account.updated','login.failed'])[1 + n % 4], 'user', u, u, '203.0.113.0/24'
FROM (SELECT n, ('01900000-' || lpad(to_hex(m >> 16), 4, '0') || '-7000-8000-' || lpad(to_hex(m), 12, '0'))::uuid AS u
      FROM (SELECT n, (n::bigint * 7919 % 10000000)::int AS m FROM generate_series(0, 9999999) AS n) a) b;
DO $$ DECLARE d record; BEGIN FOR d IN SELECT indexdef FROM kept LOOP EXECUTE d.indexdef; END LOOP; END $$;
VACUUM ANALYZE users; VACUUM ANALYZE events;
SELECT pg_size_pretty(pg_database_size(current_database()));
