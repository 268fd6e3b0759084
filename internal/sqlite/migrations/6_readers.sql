-- How far each reader of the feed has come. A cursor never goes back.
CREATE TABLE readers (
	name   TEXT PRIMARY KEY,
	cursor INTEGER NOT NULL -- the position of the last event that it is done with
) STRICT;
