-- How large the tables of accounts get, for docs/capacity.md: :millions of users with a session each, in an empty database that
-- `ringback migrate` has made. They come as they do in life, with all indexes in place: addresses in no order, six of ten
-- prove their phone after they came, and what that leaves behind is vacuumed away every two million.
-- psql -v ON_ERROR_STOP=1 -v millions=10 -f loadtest/sizes.sql. Ten million take half an hour and 10 GB.
SET synchronous_commit = off;
SET client_min_messages = warning;
SELECT format($insert$
  INSERT INTO users (id, email, email_key, phone, first_name, last_name, last_name_key, password_hash, phone_claimed_at, signed_in_at, created_at, updated_at)
  SELECT (lpad(to_hex(1790000000000 + n * 100), 12, '0') || '7000a' || substr(md5(n::text), 1, 15))::uuid,
         'Name.' || substr(md5(n::text), 1, 6) || n || '@example.com', 'name.' || substr(md5(n::text), 1, 6) || n || '@example.com',
         '+1' || 2000000000 + (n * 7919 %% 800000000), 'Louise', initcap(substr(md5((n * 7)::text), 1, 7)), substr(md5((n * 7)::text), 1, 7),
         '$argon2id$v=19$m=19456,t=2,p=1$' || substr(md5(n::text), 1, 22) || '$' || substr(md5(n::text) || md5(n::text), 1, 43), now(), now(), now(), now()
  FROM generate_series(%1$s::bigint, %1$s + 499999) AS n;
  INSERT INTO sessions (id, user_id, refresh_hash, spent, client, network, last_used_at, created_at, expires_at)
  SELECT (lpad(to_hex(1790000000000 + n * 100), 12, '0') || '7000b' || substr(md5(n::text), 1, 15))::uuid,
         (lpad(to_hex(1790000000000 + n * 100), 12, '0') || '7000a' || substr(md5(n::text), 1, 15))::uuid,
         sha256(n::text::bytea), '1790000000000000', 'Firefox on Linux', '203.0.113.0/24', now(), now(), now() + n %% 2592000 * interval '1 second'
  FROM generate_series(%1$s::bigint, %1$s + 499999) AS n;
  UPDATE users SET phone_verified = true, phone_owned_at = now(), updated_at = now()
  WHERE id >= (lpad(to_hex(1790000000000 + %1$s::bigint * 100), 12, '0') || '70000000000000000000')::uuid AND ('x' || substr(id::text, 35, 2))::bit(8)::int < 154;
$insert$, half * 500000), CASE WHEN half % 4 = 3 THEN 'VACUUM ANALYZE users' END
FROM generate_series(0, :millions * 2 - 1) AS half
\gexec
VACUUM ANALYZE users;
VACUUM ANALYZE sessions;
SELECT relname, relkind, pg_size_pretty(pg_relation_size(oid)) AS size, round(pg_relation_size(oid) / (:millions * 1e6), 1) AS bytes_each
FROM pg_class WHERE relname ~ '^(users|sessions)' AND relkind IN ('r', 'i') ORDER BY relname;
SELECT pg_size_pretty(pg_database_size(current_database()));
