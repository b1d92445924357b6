-- Returns the sequences that would give an id that is on record already, and the highest such id:
-- data was loaded without them, or came by logical replication, which does not replicate
-- sequences. Sequences that the caller may not read are skipped. Some waiting entries are looked
-- at, which are older than those that the sequence would number now.
CREATE OR REPLACE FUNCTION threadline.sequences_behind(OUT sequence regclass, OUT highest bigint) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT s.sequence, s.highest
    FROM (
        VALUES (pg_get_serial_sequence('threadline.journal', 'id')::regclass,
                greatest(threadline.highest_id(), (SELECT max(w.id) FROM (SELECT j.id FROM threadline.journal AS j LIMIT 1000) AS w))),
               (pg_get_serial_sequence('threadline.audit_actions', 'id')::regclass, (SELECT max(a.id) FROM threadline.audit_actions AS a)),
               (pg_get_serial_sequence('threadline.audited_tables', 'id')::regclass, (SELECT max(t.id) FROM threadline.audited_tables AS t)),
               (pg_get_serial_sequence('threadline.legal_holds', 'id')::regclass, (SELECT max(h.id) FROM threadline.legal_holds AS h)),
               (pg_get_serial_sequence('threadline.purges', 'id')::regclass, (SELECT max(p.id) FROM threadline.purges AS p)),
               (pg_get_serial_sequence('threadline.erasures', 'id')::regclass, (SELECT max(e.id) FROM threadline.erasures AS e))
    ) AS s (sequence, highest)
    WHERE CASE WHEN has_sequence_privilege(s.sequence, 'SELECT')
               -- NULL: no id was given yet.
               THEN coalesce(pg_sequence_last_value(s.sequence), 0) < s.highest END;
END;
