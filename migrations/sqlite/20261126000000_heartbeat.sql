-- The same table as in migrations/postgres.
CREATE TABLE heartbeat (beats INTEGER NOT NULL) STRICT;
INSERT INTO heartbeat (beats) VALUES (0);
