-- Fails for a value that is not a length of time, or is below the floor in threadline.retention.
CREATE OR REPLACE FUNCTION threadline.check_keep(target regclass, keep text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_keep interval;
    tl_floor interval := (SELECT r.floor FROM threadline.retention AS r);
BEGIN
    IF keep IS NULL THEN
        RETURN;
    END IF;
    BEGIN
        tl_keep := keep::interval;
    EXCEPTION WHEN invalid_datetime_format OR datetime_field_overflow OR interval_field_overflow THEN
        tl_keep := NULL;
    END;
    IF (tl_keep > '0') IS NOT true THEN
        RAISE EXCEPTION 'threadline: changes of table % cannot be kept for ''%''; give a length of time such as ''7 years''', target, keep;
    ELSIF tl_keep < tl_floor THEN
        RAISE EXCEPTION 'threadline: changes of table % cannot be kept for %: the minimum is %', target, keep, tl_floor
            USING HINT = 'The owner of the audit sets the minimum with threadline.set_retention().';
    END IF;
END
$$;
