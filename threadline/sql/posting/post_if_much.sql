-- Runs threadline.post() if enough entries wait to slow a query noticeably.
CREATE OR REPLACE FUNCTION threadline.post_if_much() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    RETURN CASE WHEN EXISTS (SELECT FROM threadline.journal OFFSET 500) THEN threadline.post(50000) ELSE 0 END;
END
$$;
