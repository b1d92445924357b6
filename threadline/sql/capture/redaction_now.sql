-- Returns the redacted columns of a row whose columns differ from those that its capture function
-- was built for. Fails closed: on a table with redaction, a value is recorded plain only if its
-- column can be traced to one that the policy left plain, by column number while the table keeps
-- its OID, by name after a restore. A column added since could hold anything and is left out, and
-- so is one that has another generation expression. `built_for` is written into the capture
-- function: nothing here depends on rows that may be missing. Declared immutable and called only
-- with constants, so that PostgreSQL evaluates it when it plans and not for every write.
CREATE OR REPLACE FUNCTION threadline.redaction_now(relation oid, built_for jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
BEGIN ATOMIC
    WITH known AS (
        SELECT c.*, (built_for ->> 'relation')::oid = redaction_now.relation AS same
        FROM jsonb_to_recordset(built_for -> 'columns') AS c (number smallint, name text, column_policy text, hash_key integer, generation_expression text)
    ), traced AS (
        SELECT live.name, live.type, itself.hash_key, itself.column_policy AS by_itself, namesake.column_policy AS by_name,
               threadline.generation_of(redaction_now.relation, live.number) IS NOT DISTINCT FROM itself.generation_expression AS made_as_before
        FROM threadline.present_columns(redaction_now.relation) AS live
        LEFT JOIN known AS namesake ON namesake.name = live.name
        LEFT JOIN known AS itself ON CASE WHEN itself.same THEN itself.number = live.number ELSE itself.name = live.name END
    )
    SELECT jsonb_build_object(
        'apart', coalesce(jsonb_agg(name) FILTER (
            WHERE threadline.merges_values(type) AND 'exclude' NOT IN (coalesce(by_itself, 'mask'), coalesce(by_name, 'mask'))), '[]'))
        || CASE WHEN EXISTS (SELECT FROM known AS k WHERE k.column_policy IS DISTINCT FROM 'plain') THEN jsonb_build_object(
        'plain', coalesce(jsonb_agg(name) FILTER (
            WHERE by_itself = 'plain' AND coalesce(by_name, 'plain') = 'plain' AND made_as_before), '[]'),
        'masks', coalesce(jsonb_object_agg(name, coalesce(threadline.placeholder(type), '"***"')) FILTER (
            WHERE ARRAY[by_itself, by_name] && '{mask,hash}'
              AND 'exclude' NOT IN (coalesce(by_itself, 'mask'), coalesce(by_name, 'mask'))), '{}'),
        'hashes', coalesce(jsonb_object_agg(name, hash_key) FILTER (
            WHERE by_itself = 'hash' AND coalesce(by_name, 'hash') IN ('hash', 'plain')), '{}'))
        ELSE '{}' END
    FROM traced;
END;
