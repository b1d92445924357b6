-- What capture takes from a row.
CREATE TYPE threadline.captured AS (
    record_key   text,
    previous_key text,
    changed_from jsonb,
    changed_to   jsonb,
    row_data     jsonb
);
