-- Returns the position after which the ledger has the changes captured from an instant on. A
-- binary search of a few dozen look-ups in a ledger of any size, and so an estimate: positions
-- are in the order of visibility, not of capture.
CREATE OR REPLACE FUNCTION threadline.position_at(instant timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_low bigint := 0;
    tl_high bigint := coalesce((SELECT max(c.position) FROM threadline.ledger_changes AS c), 0);
    tl_middle bigint;
    tl_found timestamptz;
BEGIN
    WHILE tl_low < tl_high LOOP
        tl_middle := tl_low + (tl_high - tl_low) / 2;
        SELECT c.captured_at INTO tl_found
        FROM threadline.ledger_changes AS c
        WHERE c.position > tl_middle
        ORDER BY c.position
        LIMIT 1;
        IF tl_found < instant THEN
            tl_low := tl_middle + 1;
        ELSE
            tl_high := tl_middle;
        END IF;
    END LOOP;
    RETURN tl_low;
END
$$;
