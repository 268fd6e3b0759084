-- What a list of deployments shows. The log in events is the truth; these rows are written with the
-- first and the last event of a deployment. Times are nanoseconds since 1970 in UTC.
CREATE TABLE deployments (
	id          TEXT PRIMARY KEY,
	application TEXT NOT NULL,
	started_at  INTEGER NOT NULL,
	started_by  TEXT NOT NULL,
	ended_at    INTEGER,
	outcome     TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX deployments_unended ON deployments (application) WHERE ended_at IS NULL;
CREATE INDEX deployments_by_application ON deployments (application, started_at, id);
CREATE INDEX deployments_by_start ON deployments (started_at, id);

-- The log. A deployment's events lie side by side, so that resuming one reads few pages. The body is the
-- event as JSON; at and kind are there for people with a SQL shell and cost nothing to write.
CREATE TABLE events (
	deployment TEXT NOT NULL REFERENCES deployments (id),
	seq        INTEGER NOT NULL,
	at         TEXT AS (body ->> 'at') VIRTUAL,
	kind       TEXT AS (body ->> 'kind') VIRTUAL,
	body       TEXT NOT NULL,
	PRIMARY KEY (deployment, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
	id          TEXT PRIMARY KEY,
	application TEXT NOT NULL,
	taken_at    INTEGER NOT NULL, -- microseconds since 1970 in UTC
	body        TEXT NOT NULL
) STRICT;

CREATE INDEX checkpoints_by_application ON checkpoints (application, taken_at, id);
