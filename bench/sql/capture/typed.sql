-- A typed event table for each table and a row for each context, like django-pghistory; written
-- for this comparison. One trigger for each operation, so that it needs no branches.
CREATE SCHEMA typed;

CREATE TABLE typed.contexts (
    id         uuid PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    metadata   jsonb NOT NULL
);

-- Writes the context of the running transaction if it has one that is not written yet.
CREATE FUNCTION typed.context() RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    context uuid := nullif(current_setting('typed.context', true), '');
BEGIN
    IF context IS NOT NULL THEN
        INSERT INTO typed.contexts (id, metadata)
        VALUES (context, current_setting('typed.metadata')::jsonb)
        ON CONFLICT (id) DO NOTHING;
    END IF;
    RETURN context;
END
$$;

-- Runs SQL with a table's name, key and columns filled in; {n.columns} are its columns, each
-- prefixed with `n.`.
CREATE FUNCTION typed.run(template text, target regclass) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    alias text;
BEGIN
    FOREACH alias IN ARRAY ARRAY['', 'OLD.', 'NEW.', 'o.', 'n.'] LOOP
        template := replace(template, format('{%scolumns}', alias), (
            SELECT string_agg(alias || quote_ident(attname), ', ' ORDER BY attnum)
            FROM pg_attribute
            WHERE attrelid = target AND attnum > 0 AND NOT attisdropped));
    END LOOP;
    template := replace(template, '{key}', (
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
        FROM pg_index AS i
        JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
        WHERE i.indrelid = target AND i.indisprimary));
    template := replace(template, '{name}', (SELECT relname FROM pg_class WHERE oid = target));
    EXECUTE replace(template, '{table}', target::text);
END
$$;

CREATE FUNCTION typed.create_event_table(target regclass) RETURNS void
LANGUAGE sql
RETURN typed.run($sql$
    CREATE TABLE typed.{name} (
        event_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        label      text NOT NULL,
        created_at timestamptz NOT NULL,
        context_id uuid,
        LIKE {table}
    );
    CREATE INDEX ON typed.{name} (context_id);
    CREATE INDEX ON typed.{name} ({key});
$sql$, target);

-- Tracks an operation by a trigger that inserts events.
CREATE FUNCTION typed.track(target regclass, operation text, events text, fired text) RETURNS void
LANGUAGE sql
RETURN typed.run(format($sql$
    CREATE FUNCTION typed.{name}_%1$s() RETURNS trigger LANGUAGE plpgsql AS $trigger$
    BEGIN
        INSERT INTO typed.{name} (label, created_at, context_id, {columns})
        %2$s;
        RETURN NULL;
    END
    $trigger$;
    CREATE TRIGGER track_%1$s AFTER %1$s ON {table} %3$s EXECUTE FUNCTION typed.{name}_%1$s();
$sql$, operation, events, fired), target);

CREATE FUNCTION typed.track_rows(target regclass) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    SELECT typed.create_event_table(target);
    SELECT typed.track(
        target, operation,
        format($$VALUES ('%s', now(), typed.context(), {%s.columns})$$, operation, side),
        'FOR EACH ROW ' || condition)
    FROM (VALUES
        ('insert', 'NEW', ''),
        ('update', 'NEW', 'WHEN (OLD.* IS DISTINCT FROM NEW.*)'),
        ('delete', 'OLD', '')) AS o (operation, side, condition);
END;

CREATE FUNCTION typed.track_statements(target regclass) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    SELECT typed.create_event_table(target);
    SELECT typed.track(
        target, operation,
        format($$SELECT '%s', now(), (SELECT typed.context()), %s$$, operation, events),
        format('REFERENCING %s FOR EACH STATEMENT', tables))
    FROM (VALUES
        ('insert', '{n.columns} FROM new_rows AS n', 'NEW TABLE AS new_rows'),
        ('update', '{n.columns} FROM new_rows AS n JOIN old_rows AS o USING ({key}) WHERE o.* IS DISTINCT FROM n.*',
         'OLD TABLE AS old_rows NEW TABLE AS new_rows'),
        ('delete', '{o.columns} FROM old_rows AS o', 'OLD TABLE AS old_rows')) AS o (operation, events, tables);
END;

SELECT typed.track_rows(format('bench.typed_%s', which)::regclass),
       typed.track_statements(format('bench.typed_stmt_%s', which)::regclass)
FROM unnest(ARRAY['8', '40', 'parents', 'children']) AS which;
