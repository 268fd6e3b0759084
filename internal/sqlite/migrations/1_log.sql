-- What a list of deployments shows. The log in events is the truth; these rows are written with the
-- first and the last event of a deployment. Times are nanoseconds since 1970 in UTC.
CREATE TABLE deployments (
	number      INTEGER PRIMARY KEY, -- short, because every event carries it
	id          TEXT NOT NULL UNIQUE,
	application TEXT NOT NULL,
	started_at  INTEGER NOT NULL,
	started_by  TEXT NOT NULL,
	ended_at    INTEGER,
	outcome     TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE UNIQUE INDEX deployments_unended ON deployments (application) WHERE ended_at IS NULL;
CREATE INDEX deployments_by_application ON deployments (application, started_at, id);
CREATE INDEX deployments_by_start ON deployments (started_at, id);

-- The log, in the order in which it was written: many deployments at once fill one page after the other, where a table
-- sorted by deployment would write a page for each. The index finds a deployment's events.
-- The body is the event as JSON. There is no foreign key because each row would pay for it; the one writer
-- adds events only to deployments that it knows.
CREATE TABLE events (
	position   INTEGER PRIMARY KEY,
	deployment INTEGER NOT NULL, -- its number
	seq        INTEGER NOT NULL,
	body       TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX events_by_deployment ON events (deployment, seq);

-- The log as a person with a SQL shell wants to see it.
CREATE VIEW log AS
	SELECT d.id AS deployment, d.application, e.seq, e.body ->> 'at' AS at, e.body ->> 'kind' AS kind, e.body ->> 'step' AS step, e.body
	FROM events e JOIN deployments d ON d.number = e.deployment
	ORDER BY e.position;

CREATE TABLE checkpoints (
	id          TEXT PRIMARY KEY,
	application TEXT NOT NULL,
	taken_at    INTEGER NOT NULL, -- microseconds since 1970 in UTC
	body        TEXT NOT NULL
) STRICT;

CREATE INDEX checkpoints_by_application ON checkpoints (application, taken_at, id);
