-- What readiness writes, to know that writes work: one row, a number that goes up.
CREATE TABLE heartbeat (beats bigint NOT NULL);
INSERT INTO heartbeat (beats) VALUES (0);
