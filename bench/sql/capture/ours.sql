-- Audits a table. Tables are emptied between repetitions without a record.
CREATE FUNCTION bench.audit(target regclass) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM threadline.audit(target);
    EXECUTE (
        SELECT format('ALTER TABLE %s DISABLE TRIGGER %I', target, tgname)
        FROM pg_trigger
        WHERE tgrelid = target AND tgname LIKE '!threadline\_truncate\_%');
END
$$;

SELECT bench.audit(format('bench.ours_%s', which)::regclass)
FROM unnest(ARRAY['8', '40', 'parents', 'children']) AS which;
