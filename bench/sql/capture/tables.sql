-- Creates tables of the same shape for each variant, of 8 and of 40 columns, and a source of
-- 100,000 rows to insert.
CREATE SCHEMA bench;

CREATE FUNCTION bench.create_table(name text, width int) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    types text[] := ARRAY['text', 'numeric(12,2)', 'int', 'timestamptz', 'bool'];
    more text;
BEGIN
    SELECT string_agg(format(', column_%s %s', c, types[1 + c % 5]), '' ORDER BY c) INTO more
    FROM generate_series(9, width) AS c;
    EXECUTE format(
        'CREATE TABLE bench.%I (
            id bigint PRIMARY KEY, name text, status text, amount numeric(12,2), quantity int,
            note text, updated_at timestamptz, active bool %s)', name, more);
END
$$;

CREATE FUNCTION bench.fill_source(width int) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    expressions text[] := ARRAY[
        $e$'text ' || k % 1000$e$, '(k % 100000) / 100.0', 'k % 1000', $e$timestamptz '2026-01-01' + k * interval '1 second'$e$, 'k % 2 = 0'];
    more text;
BEGIN
    SELECT string_agg(', ' || expressions[1 + c % 5], '' ORDER BY c) INTO more
    FROM generate_series(9, width) AS c;
    EXECUTE format(
        $i$INSERT INTO bench.source_%s
        SELECT k, 'row ' || k, 'status-' || k %% 5, (k %% 100000) / 100.0, k %% 100,
               'a note of some length on row ' || k, timestamptz '2026-01-01' + k * interval '1 second', k %% 2 = 0 %s
        FROM generate_series(1, 100000) AS k$i$, width, more);
END
$$;

SELECT bench.create_table(variant || '_' || width, width)
FROM unnest(ARRAY['source', 'unaudited', 'limit', 'ours', 'textbook', 'typed', 'typed_stmt']) AS variant, unnest(ARRAY[8, 40]) AS width;

SELECT bench.fill_source(width) FROM unnest(ARRAY[8, 40]) AS width;

-- Parents with 10 children each, which are deleted along.
DO $$
DECLARE
    variant text;
BEGIN
    FOREACH variant IN ARRAY ARRAY['unaudited', 'limit', 'ours', 'textbook', 'typed', 'typed_stmt'] LOOP
        PERFORM bench.create_table(variant || '_parents', 8);
        PERFORM bench.create_table(variant || '_children', 8);
        EXECUTE format(
            'ALTER TABLE bench.%1$I ADD parent_id bigint REFERENCES bench.%2$I ON DELETE CASCADE;
             CREATE INDEX ON bench.%1$I (parent_id)', variant || '_children', variant || '_parents');
    END LOOP;
END
$$;
