-- Signals on their way to deployments. A letter is settled by the event that records its signal, in one transaction with
-- it, or by a refusal, which is kept as JSON for the sender.
CREATE TABLE letters (
	number     INTEGER PRIMARY KEY,
	deployment INTEGER NOT NULL, -- its number
	body       TEXT NOT NULL,    -- the signal as JSON
	settled    INTEGER NOT NULL DEFAULT 0,
	refusal    TEXT              -- NULL: the signal was applied, or nothing is settled yet
) STRICT;

CREATE INDEX letters_unsettled ON letters (deployment, number) WHERE settled = 0;
