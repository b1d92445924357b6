-- Returns a context of the journal with a mark instead of its metadata and its address, or instead
-- of all its text if it cannot be read.
CREATE OR REPLACE FUNCTION threadline.erased_context(context text, occurred_at timestamptz, mark text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_read record := threadline.read_context(context, occurred_at);
    tl_epoch text := extract(epoch FROM occurred_at)::text;
    tl_context jsonb;
BEGIN
    IF tl_read.meta ? 'untrusted_context' THEN
        RETURN mark;
    ELSIF tl_read.meta ? 'unreadable_context' THEN
        RETURN tl_epoch || ' ' || mark;
    END IF;
    tl_context := substr(context, length(tl_epoch) + 2)::jsonb - 'remote_ip';
    IF tl_read.meta IS NOT NULL THEN
        tl_context := tl_context || jsonb_build_object('metadata', jsonb_build_object('erased', mark));
    END IF;
    RETURN tl_epoch || ' ' || tl_context;
END
$$;
REVOKE ALL ON FUNCTION threadline.erased_context(text, timestamptz, text) FROM PUBLIC;
