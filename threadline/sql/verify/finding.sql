-- A fault in a table's audit, and the command that fixes it.
CREATE TYPE threadline.finding AS (
    code     text,
    relation text,
    message  text,
    fix     text
);
