-- Returns every object of a schema of the audit and a digest of each, by which a change is
-- detected. Functions, views, types and tables, and what is attached to tables, also from other
-- schemas: indexes, constraints, triggers, rules, policies, statistics and inheritance children.
-- Not the capture functions, which depend on the audited tables; threadline.function_drift()
-- compares those. `audit protect` calls it for the installed schema and for the one it ships,
-- under another name, so the schema's name is left out.
CREATE OR REPLACE FUNCTION threadline.own_objects(
    schema_name name DEFAULT 'threadline',
    OUT object text, OUT digest text, OUT shown_digest text
) RETURNS SETOF record
LANGUAGE sql STABLE
-- So that PostgreSQL shows every name with its schema.
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
SET standard_conforming_strings = on
-- So that a constant in an expression is shown the same way to every role.
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
SET jit = off
-- As text: a parsed body is shown differently after a restore.
AS $$
    WITH own AS (
        SELECT d.classid, d.objid
        FROM pg_namespace AS n
        JOIN pg_depend AS d ON d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid
        WHERE n.nspname = schema_name
    ), relation AS (
        SELECT c.* FROM own JOIN pg_class AS c ON c.oid = own.objid WHERE own.classid = 'pg_class'::regclass
    ), described AS (
        SELECT 'pg_proc'::regclass AS class, p.oid,
               concat_ws(' ', p.prokind, l.lanname, p.prosecdef, p.provolatile, p.proisstrict, p.proleakproof, p.proparallel, p.proretset,
                   p.prorettype::regtype, p.proallargtypes::regtype[], p.proargmodes, p.proargnames, ARRAY(
                       -- A function created under quote_all_identifiers has quotes there.
                       SELECT regexp_replace(c.setting, '"([a-z_][a-z0-9_]*)"', '\1', 'g')
                       FROM unnest(p.proconfig) WITH ORDINALITY AS c (setting, place)
                       ORDER BY c.place),
                   p.probin, p.prosrc) AS text,
               concat_ws(' ', pg_get_expr(p.proargdefaults, 0), pg_get_function_sqlbody(p.oid)) AS shown
        FROM own
        JOIN pg_proc AS p ON p.oid = own.objid
        JOIN pg_language AS l ON l.oid = p.prolang
        WHERE own.classid = 'pg_proc'::regclass
          AND NOT (p.proname ~ '^capture_[0-9]{1,9}$' AND p.pronargs = 0 AND p.prorettype = 'trigger'::regtype)
        UNION ALL
        SELECT 'pg_class'::regclass, r.oid,
               concat_ws(' ', r.relkind, r.relpersistence, r.relrowsecurity, r.relforcerowsecurity, r.reloptions,
                   s.seqincrement, s.seqmin, s.seqmax, s.seqcycle, (
                   SELECT string_agg(concat_ws(' ', a.attname, a.atttypid::regtype, a.attnotnull, a.attidentity, a.attgenerated), ', ' ORDER BY a.attnum)
                   FROM pg_attribute AS a
                   WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped)),
               concat_ws(' ', CASE WHEN r.relkind = 'v' THEN pg_get_viewdef(r.oid) END, (
                   SELECT string_agg(pg_get_expr(f.adbin, f.adrelid), ', ' ORDER BY f.adnum) FROM pg_attrdef AS f WHERE f.adrelid = r.oid))
        FROM relation AS r
        LEFT JOIN pg_sequence AS s ON s.seqrelid = r.oid
        UNION ALL
        SELECT 'pg_class'::regclass, i.indexrelid, concat_ws(' ', i.indisunique, i.indisvalid, i.indkey), pg_get_indexdef(i.indexrelid)
        FROM relation AS r
        JOIN pg_index AS i ON i.indrelid = r.oid
        JOIN pg_class AS x ON x.oid = i.indexrelid
        -- An index of threadline.index_reference() belongs to the database. It counts as such
        -- only if it calls no foreign code.
        WHERE NOT (
            r.relname = 'ledger_changes' AND x.relname ~ '^ledger_reference_[0-9]+_[0-9a-f]{8}_(came|went)$' AND NOT i.indisunique
            AND NOT EXISTS (
                SELECT FROM pg_depend AS d
                WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND d.refclassid <> 'pg_class'::regclass))
        UNION ALL
        -- Since PostgreSQL 18, NOT NULL is a constraint, too.
        SELECT 'pg_constraint'::regclass, k.oid, k.contype::text, pg_get_constraintdef(k.oid)
        FROM pg_constraint AS k
        WHERE (k.conrelid IN (SELECT r.oid FROM relation AS r) OR k.confrelid IN (SELECT r.oid FROM relation AS r)) AND k.contype <> 'n'
        UNION ALL
        SELECT 'pg_trigger'::regclass, g.oid, g.tgenabled::text, pg_get_triggerdef(g.oid)
        FROM relation AS r
        JOIN pg_trigger AS g ON g.tgrelid = r.oid
        WHERE NOT g.tgisinternal
        UNION ALL
        SELECT 'pg_rewrite'::regclass, w.oid, w.ev_enabled::text, pg_get_ruledef(w.oid)
        FROM relation AS r
        JOIN pg_rewrite AS w ON w.ev_class = r.oid
        WHERE w.rulename <> '_RETURN'
        UNION ALL
        SELECT 'pg_policy'::regclass, p.oid, p.polcmd::text, pg_get_expr(p.polqual, p.polrelid)
        FROM relation AS r
        JOIN pg_policy AS p ON p.polrelid = r.oid
        UNION ALL
        SELECT 'pg_statistic_ext'::regclass, s.oid, s.stxkind::text, pg_get_statisticsobjdef(s.oid)
        FROM relation AS r
        JOIN pg_statistic_ext AS s ON s.stxrelid = r.oid
        UNION ALL
        SELECT 'pg_class'::regclass, h.inhrelid, 'child of ' || r.relname, NULL
        FROM relation AS r
        JOIN pg_inherits AS h ON h.inhparent = r.oid
        UNION ALL
        SELECT 'pg_cast'::regclass, c.oid, '', NULL
        FROM pg_cast AS c
        WHERE EXISTS (SELECT FROM own WHERE own.classid = 'pg_type'::regclass AND own.objid IN (c.castsource, c.casttarget))
        UNION ALL
        -- Of the other kinds of objects, the schema has only types.
        SELECT own.classid::regclass, own.objid, concat_ws(' ', t.typtype, (
                   SELECT string_agg(a.attname || ' ' || a.atttypid::regtype, ', ' ORDER BY a.attnum)
                   FROM pg_attribute AS a
                   WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)), NULL
        FROM own
        LEFT JOIN pg_type AS t ON own.classid = 'pg_type'::regclass AND t.oid = own.objid
        WHERE own.classid NOT IN ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_statistic_ext'::regclass, 'pg_constraint'::regclass)
    )
    -- Which of its own types PostgreSQL shows with their schema depends on its version.
    SELECT DISTINCT ON (1) replace(replace(i.type || ' ' || i.identity, 'pg_catalog.', ''), schema_name, 'threadline'),
           md5(replace(d.text, schema_name, 'threadline')), md5(replace(d.shown, schema_name, 'threadline'))
    FROM described AS d
    CROSS JOIN LATERAL pg_identify_object(d.class, d.oid, 0) AS i
    ORDER BY 1, 2;
$$;
