-- Fails for a policy that would record columns whose names suggest a secret without naming them,
-- unless that policy is in force.
CREATE OR REPLACE FUNCTION threadline.ask_about_secrets(target regclass, policy jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_keys text[] := ARRAY(SELECT k.name FROM threadline.key_columns_of(target) AS k);
    tl_said text[] := ARRAY(
        SELECT p.name FROM threadline.column_policies(policy) AS p
        UNION ALL
        SELECT jsonb_array_elements_text(policy -> 'columns'));
    tl_secret text[] := ARRAY(
        SELECT s.name
        FROM threadline.secret_columns(target) AS s
        WHERE s.name <> ALL (tl_said)
          AND (NOT policy ? 'columns' OR s.name = ANY (tl_keys))
          AND threadline.policy_of_column(target, s.number, policy) = 'plain');
BEGIN
    -- Columns that do not exist get their own error.
    IF tl_secret <> '{}' AND tl_said <@ ARRAY(SELECT c.name FROM threadline.columns_of(target) AS c)
       AND threadline.as_decided(target, policy) IS NULL
    THEN
        RAISE EXCEPTION USING
            MESSAGE = format(CASE cardinality(tl_secret)
                WHEN 1 THEN 'threadline: column %s of table %s needs an explicit policy, because its name suggests a secret'
                ELSE 'threadline: columns %s of table %s need an explicit policy, because their names suggest secrets'
            END, array_to_string(tl_secret, ', '), target),
            HINT = concat_ws(' ',
                'Choose what is recorded:',
                (SELECT format('exclude => ARRAY[%1$s] (nothing), mask => ARRAY[%1$s] (that it changed), hash => ARRAY[%1$s] (a keyed hash), or', string_agg(quote_literal(s), ', '))
                 FROM unnest(tl_secret) AS s
                 WHERE s <> ALL (tl_keys)
                 HAVING count(*) > 0),
                (SELECT format('hash => ARRAY[%s] (a keyed hash, by which records are found), or', string_agg(quote_literal(s), ', '))
                 FROM unnest(tl_secret) AS s
                 WHERE s = ANY (tl_keys)
                 HAVING count(*) > 0),
                (SELECT format('plain => ARRAY[%s] (it is no secret).', string_agg(quote_literal(s), ', '))
                 FROM unnest(tl_secret) AS s));
    END IF;
END
$$;
