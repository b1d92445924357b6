-- Fails unless the table is the owner's, or was handed over by a role that may; for functions
-- that run as the owner of the audit.
CREATE OR REPLACE FUNCTION threadline.require_handed_over(target regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT
        FROM pg_class AS c
        WHERE c.oid = target AND (
            c.relowner = current_user::regrole
            OR EXISTS (
                SELECT FROM aclexplode(c.relacl) AS given
                WHERE given.grantee = current_user::regrole AND given.privilege_type = 'TRIGGER'))
    ) THEN
        RAISE EXCEPTION 'threadline: only the owner of table % decides how it is audited, with threadline.audit() or threadline.unaudit()', target
            USING ERRCODE = 'insufficient_privilege';
    END IF;
END
$$;
