-- What a capture function does first: leaves alone what is not to be recorded. The
-- table's OID stands as in threadline.built_for(); PostgreSQL works it out when it
-- plans.
CREATE FUNCTION threadline.guard(audited_table integer, target regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
RETURN format(
    $guard$IF coalesce(pg_partition_root(TG_RELID)::oid, TG_RELID) NOT IN ((%2$L::jsonb ->> 'relation')::oid, threadline.captured_relation(%1$s))
       OR current_setting('threadline.suspended', true) <> '' THEN
        IF threadline.withheld(%1$s, TG_RELID, (%2$L::jsonb ->> 'relation')::oid) THEN
            RETURN NULL;
        END IF;
    END IF;$guard$,
    audited_table, jsonb_build_object('relation', target::oid::bigint));
