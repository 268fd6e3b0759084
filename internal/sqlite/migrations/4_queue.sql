-- A deployment that waits for its turn has the outcome 'queued' until it starts. Of an application one runs and one is
-- queued, at most.
DROP INDEX deployments_unended;
CREATE UNIQUE INDEX deployments_unended ON deployments (application, outcome) WHERE ended_at IS NULL;
