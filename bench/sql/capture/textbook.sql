-- A generic audit trigger, as in many applications: one function for every table, fired for each
-- row, which compares the row's images as jsonb.
CREATE SCHEMA textbook;

CREATE TABLE textbook.audit_transactions (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    xact_id      bigint NOT NULL UNIQUE,
    occurred_at  timestamptz NOT NULL DEFAULT now(),
    actor        jsonb,
    meta         jsonb
);

CREATE TABLE textbook.audit_changes (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    transaction_id uuid NOT NULL REFERENCES textbook.audit_transactions (id),
    table_schema   text NOT NULL,
    table_name     text NOT NULL,
    table_pk       jsonb NOT NULL,
    op             text NOT NULL,
    captured_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    data_after     jsonb,
    changed_fields text[],
    changed_from   jsonb
);
CREATE INDEX ON textbook.audit_changes (transaction_id);
CREATE INDEX ON textbook.audit_changes (table_name, table_pk);
CREATE INDEX ON textbook.audit_changes (captured_at);

CREATE FUNCTION textbook.capture() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    transaction uuid;
    old_row jsonb;
    new_row jsonb;
    pk jsonb;
    fields text[];
    before jsonb;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        old_row := to_jsonb(OLD);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        new_row := to_jsonb(NEW);
    END IF;
    IF TG_OP = 'UPDATE' THEN
        SELECT array_agg(n.key), jsonb_object_agg(n.key, o.value)
        INTO fields, before
        FROM jsonb_each(new_row) AS n
        JOIN jsonb_each(old_row) AS o USING (key)
        WHERE n.value IS DISTINCT FROM o.value;
        IF fields IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;

    SELECT jsonb_object_agg(k.key, coalesce(new_row, old_row) -> k.key) INTO pk
    FROM unnest(TG_ARGV) AS k (key);

    INSERT INTO textbook.audit_transactions (xact_id, actor)
    VALUES (txid_current(), nullif(current_setting('textbook.actor', true), '')::jsonb)
    ON CONFLICT (xact_id) DO NOTHING;
    SELECT t.id INTO STRICT transaction FROM textbook.audit_transactions AS t WHERE t.xact_id = txid_current();

    INSERT INTO textbook.audit_changes (
        transaction_id, table_schema, table_name, table_pk, op, data_after, changed_fields, changed_from)
    VALUES (transaction, TG_TABLE_SCHEMA, TG_TABLE_NAME, pk, TG_OP, coalesce(new_row, old_row), fields, before);
    RETURN NULL;
END
$$;

CREATE FUNCTION textbook.audit(target regclass, VARIADIC keys text[] DEFAULT ARRAY['id']) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION textbook.capture(%s)',
        target, (SELECT string_agg(quote_literal(key), ', ') FROM unnest(keys) AS key));
END
$$;

SELECT textbook.audit(format('bench.textbook_%s', which)::regclass)
FROM unnest(ARRAY['8', '40', 'parents', 'children']) AS which;
