-- Ends a hold; the next threadline.purge() removes what it kept.
--
--   SELECT threadline.release(3, 'lawsuit 2026-17 is settled');
CREATE OR REPLACE FUNCTION threadline.release(hold bigint, reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    IF coalesce(reason, '') = '' THEN
        RAISE EXCEPTION 'threadline: a release needs a reason';
    END IF;
    UPDATE threadline.legal_holds AS h
    SET released_at = clock_timestamp(), released_by = session_user
    WHERE h.id = hold AND h.released_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'threadline: no hold % is in force; SELECT * FROM threadline.legal_holds shows them', hold;
    END IF;
    PERFORM threadline.own_action('audit.released', jsonb_build_object('hold', hold), reason => release.reason);
END
$$;
REVOKE ALL ON FUNCTION threadline.release(bigint, text) FROM PUBLIC;
