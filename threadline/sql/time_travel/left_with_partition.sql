-- Returns whether a row of a table left after an instant together with a partition.
CREATE OR REPLACE FUNCTION threadline.left_with_partition(audited_table integer, target regclass, image jsonb, instant timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_part record;
    tl_held boolean;
BEGIN
    FOR tl_part IN SELECT * FROM threadline.partitions_left(audited_table) AS p WHERE p.left_at > instant LOOP
        BEGIN
            EXECUTE format('SELECT %s FROM jsonb_populate_record(NULL::%s, $1) AS tl_row', coalesce(tl_part.rows_of, 'true'), target)
            INTO tl_held USING image;
        EXCEPTION WHEN data_exception OR integrity_constraint_violation OR datatype_mismatch OR undefined_column OR undefined_function THEN
            -- Its columns have changed.
            tl_held := true;
        END;
        IF tl_held THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END
$$;
