-- When a photograph was taken and with what; unknown until an index run looks.  A row without it, and a
-- collection without patterns, have the checksums of before.
ALTER TABLE photos ADD COLUMN taken VARCHAR;

ALTER TABLE photos ADD COLUMN camera VARCHAR NOT NULL DEFAULT '';

-- The same as a number, to sort by; until it is known that of the file.
ALTER TABLE photos ADD COLUMN date_ns BIGINT NOT NULL DEFAULT 0;

UPDATE photos SET date_ns = mtime_ns;

-- Patterns of what is left out, a line each.
ALTER TABLE collection ADD COLUMN exclude VARCHAR NOT NULL DEFAULT '';
