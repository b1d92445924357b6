-- Sets the minimum time for which changes of any table are kept, and how long actions are kept;
-- NULL: for ever. Neither has a default, so that nobody removes one by setting the other. For the
-- owner of the audit.
--
--   SELECT threadline.set_retention(floor => '1 year', actions => '7 years');
CREATE OR REPLACE FUNCTION threadline.set_retention(floor interval, actions interval) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tl_former threadline.retention;
BEGIN
    IF set_retention.floor <= '0' OR set_retention.actions <= '0' THEN
        RAISE EXCEPTION 'threadline: a retention must be a length of time above zero, such as ''7 years'', or NULL';
    ELSIF set_retention.actions < set_retention.floor THEN
        RAISE EXCEPTION 'threadline: actions cannot be kept for %: the minimum is %', set_retention.actions, set_retention.floor;
    END IF;
    SELECT * INTO tl_former FROM threadline.retention;
    INSERT INTO threadline.retention (floor, actions)
    VALUES (set_retention.floor, set_retention.actions)
    ON CONFLICT (only_row) DO UPDATE SET floor = excluded.floor, actions = excluded.actions;
    PERFORM threadline.own_action('audit.retention_changed', jsonb_build_object(
        'floor', set_retention.floor, 'actions', set_retention.actions,
        'former_floor', tl_former.floor, 'former_actions', tl_former.actions));
END
$$;
REVOKE ALL ON FUNCTION threadline.set_retention(interval, interval) FROM PUBLIC;
