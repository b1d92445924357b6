-- Reverts a record to its state at an instant, as a new audited change. Returns NULL, or the
-- reason why not.
CREATE OR REPLACE FUNCTION threadline.revert_record(target regclass, record_key text, instant timestamptz) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    tl_reason text;
BEGIN
    PERFORM threadline.set_deferred(ARRAY[target], false);
    tl_reason := threadline.revert_to_instant(
        target, threadline.canonical_key(threadline.audited_table_of(target), record_key), instant);
    PERFORM threadline.set_deferred(ARRAY[target], true);
    RETURN tl_reason;
EXCEPTION
    WHEN integrity_constraint_violation OR data_exception OR insufficient_privilege
        OR undefined_column OR generated_always OR raise_exception OR with_check_option_violation THEN
        RETURN SQLERRM;
END
$$;
COMMENT ON FUNCTION threadline.revert_record(regclass, text, timestamptz) IS
    'Reverts a record to its state at an instant; returns the reason why not';
