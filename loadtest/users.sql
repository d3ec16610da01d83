-- :users accounts with a session each; the first :verified have proven their phone. All have the password behind :hash.
-- loadtest/floor/prepare.rs knows how numbers become identifiers and phones.
INSERT INTO users (id, email, email_key, phone, first_name, last_name, password_hash, phone_verified, created_at, updated_at)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid,
       'user' || number || '@example.com', 'user' || number || '@example.com',
       '+1' || (ARRAY['415', '212', '312'])[1 + number / 8000000] || (2000000 + number % 8000000),
       'Load', 'Test', :'hash', number < :verified, now(), now()
FROM generate_series(0, :users - 1) AS number;

INSERT INTO sessions (id, user_id, refresh_hash, created_at, expires_at)
SELECT ('00000000-0000-7000-9000-' || lpad(to_hex(number), 12, '0'))::uuid,
       ('00000000-0000-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid,
       sha256(number::text::bytea), now(), now() + interval '30 days'
FROM generate_series(0, :users - 1) AS number;

ANALYZE users, sessions;
