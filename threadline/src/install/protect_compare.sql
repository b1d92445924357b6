-- The schema threadline_shipped has just been created, and will be rolled back: it is the one
-- that this version of Threadline installs, under another name. Its function compares both.
DO $threadline_protect$
DECLARE
    tl_problem text;
BEGIN
    SELECT string_agg(format('  %s %s', replace(coalesce(there.object, shipped.object), 'threadline_shipped', 'threadline'),
               CASE WHEN shipped.object IS NULL THEN 'was not installed by Threadline'
                    WHEN there.object IS NULL THEN 'is missing'
                    ELSE 'is not what Threadline installs' END), E'\n' ORDER BY coalesce(there.object, shipped.object) COLLATE "C")
    INTO tl_problem
    FROM threadline_shipped.own_objects('threadline') AS there
    FULL JOIN threadline_shipped.own_objects('threadline_shipped') AS shipped USING (object)
    WHERE there.digest IS NULL OR shipped.digest IS NULL
       OR there.digest <> shipped.digest OR there.shown_digest IS DISTINCT FROM shipped.shown_digest;
    IF tl_problem IS NOT NULL THEN
        RAISE EXCEPTION E'threadline: these objects differ from those that Threadline installs, and would keep working under the new owner:\n%\ndrop what was not installed; restore the rest with its CREATE statement from up.sql of the newest schema migration, and run threadline.refresh() for the tables whose capture function is named', tl_problem;
    END IF;
END
$threadline_protect$;
