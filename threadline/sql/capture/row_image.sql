-- Returns any row, or value of a composite type, as JSON. `query` is that of threadline.image_query()
-- if it is known: to build it takes most of the time. Never fails because of a value; what a
-- server or another transaction causes is the writer's to see.
CREATE OR REPLACE FUNCTION threadline.row_image(image_of anyelement, query text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_relation regclass := (SELECT t.typrelid FROM pg_type AS t WHERE t.oid = threadline.base_type(pg_typeof(image_of)));
    tl_image jsonb;
BEGIN
    IF image_of IS NOT DISTINCT FROM NULL THEN
        RETURN NULL;
    END IF;
    BEGIN
        IF threadline.holds_own_types(tl_relation) THEN
            RETURN to_jsonb(image_of);
        END IF;
        EXECUTE coalesce(query, 'SELECT ' || threadline.whole_image(tl_relation, '($1)', exact => true)) INTO tl_image USING image_of;
    EXCEPTION
        WHEN transaction_rollback OR insufficient_resources OR object_not_in_prerequisite_state OR operator_intervention OR system_error THEN
            RAISE;
        -- A cast of the application raises what it likes.
        WHEN OTHERS THEN
        EXECUTE 'SELECT ' || threadline.whole_image(tl_relation, '($1)', exact => false) INTO tl_image USING image_of;
    END;
    RETURN tl_image;
END
$$;
SELECT threadline.pin_settings('threadline.row_image(anyelement, text)');
