-- The tokens by which programs call a server, without their secrets.
CREATE TABLE tokens (
	id      TEXT PRIMARY KEY,
	hash    BLOB NOT NULL,    -- SHA-256 of the whole token
	made_at INTEGER NOT NULL, -- nanoseconds since 1970 in UTC
	body    TEXT NOT NULL,
	sum     INTEGER NOT NULL  -- of the hash and the body
) STRICT;

CREATE INDEX tokens_by_age ON tokens (made_at, id);

-- What callers of a server were allowed or forbidden to do. Nothing is ever deleted, so the numbers have no gaps.
CREATE TABLE audit (
	number      INTEGER PRIMARY KEY,
	application TEXT NOT NULL,
	body        TEXT NOT NULL,
	sum         INTEGER NOT NULL
) STRICT;

CREATE INDEX audit_by_application ON audit (application, number);
