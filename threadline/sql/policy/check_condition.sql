-- Fails for a condition that could be more than one expression. It is parsed and not run, because
-- the caller may not have written it. Without quoted text, comments and other quoting, an
-- expression closes no parenthesis that it did not open.
CREATE OR REPLACE FUNCTION threadline.check_condition(target regclass, condition text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET standard_conforming_strings = on AS $$
DECLARE
    tl_bare text := threadline.unquoted(condition);
    tl_depth integer := 0;
    tl_sign text;
BEGIN
    IF tl_bare ~ '[''"$;\\]|--|/[*]' OR condition ~ '\\' THEN
        RAISE EXCEPTION 'threadline: the condition under which table % is recorded has a quote, a comment, a semicolon, a backslash or a dollar sign that does not belong into an expression', target;
    END IF;
    FOREACH tl_sign IN ARRAY regexp_split_to_array(regexp_replace(coalesce(tl_bare, ''), '[^()]', '', 'g'), '') LOOP
        tl_depth := tl_depth + CASE tl_sign WHEN '(' THEN 1 WHEN ')' THEN -1 ELSE 0 END;
        EXIT WHEN tl_depth < 0;
    END LOOP;
    IF tl_depth <> 0 THEN
        RAISE EXCEPTION 'threadline: the condition under which table % is recorded is not one expression', target;
    END IF;
END
$$;
