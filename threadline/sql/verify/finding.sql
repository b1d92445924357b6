-- Something about a table's audit that is not as it should be, and the command
-- that fixes it.
CREATE TYPE threadline.finding AS (
    code     text,
    relation text,
    message  text,
    fix     text
);
