-- Returns why an instant is not final, for a message.
CREATE OR REPLACE FUNCTION threadline.why_not_final(instant timestamptz) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    IF instant > clock_timestamp() THEN
        RETURN 'the instant is still to come';
    ELSIF pg_is_in_recovery() THEN
        RETURN CASE WHEN threadline.replayed_until() >= instant
            THEN 'a transaction is still open on the primary'
            ELSE format('this standby knows what the primary did until %s', coalesce(threadline.replayed_until()::text, 'an unknown time')) END;
    END IF;
    RETURN coalesce(
        (SELECT 'a transaction that wrote audited rows by then is still open: '
             || string_agg(concat_ws(', ', 'pid ' || w.pid, 'prepared transaction ' || quote_literal(w.prepared), 'since ' || w.since, w.application_name), '; ')
         FROM threadline.open_writers(instant) AS w),
        'a transaction that wrote audited rows by then was still open when this one began');
END
$$;
