-- What a capture function does first. Whether there is anything out of the ordinary
-- is asked in one expression, because each costs something. If there is: what is not
-- to be recorded is left alone, and `tl_depth`, `tl_nested` and `tl_first_change` are
-- set, for the order of what is recorded: how deep in triggers this write was made and
-- how deep others were before it, and the id after which it begins if those were
-- deeper. The table's OID stands as in threadline.built_for(); PostgreSQL works it
-- out when it plans.
CREATE FUNCTION threadline.guard(audited_table integer, target regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
RETURN format(
    $guard$IF TG_RELID <> (%2$L::jsonb ->> 'relation')::oid OR pg_trigger_depth() > 1
       OR current_setting('threadline.suspended', true) <> '' OR current_setting('threadline.nested_%1$s', true) <> ''
    THEN
        IF coalesce(pg_partition_root(TG_RELID)::oid, TG_RELID) NOT IN ((%2$L::jsonb ->> 'relation')::oid, threadline.captured_relation(%1$s, (%2$L::jsonb ->> 'relation')::oid))
           OR current_setting('threadline.suspended', true) <> '' THEN
            IF threadline.withheld(%1$s, TG_RELID, (%2$L::jsonb ->> 'relation')::oid, TG_OP) THEN
                RETURN NULL;
            END IF;
        END IF;
        tl_depth := pg_trigger_depth();
        tl_nested := substring(current_setting('threadline.nested_%1$s', true) FROM '^([0-9]{1,9})( [0-9]{1,9} [12])?$');
        IF tl_nested > tl_depth THEN
            tl_first_change := nextval('threadline.audit_changes_id_seq'::regclass);
        END IF;
    END IF;$guard$,
    audited_table, jsonb_build_object('relation', target::oid::bigint));
