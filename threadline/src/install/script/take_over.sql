    PERFORM pg_catalog.set_config('client_min_messages', 'warning', true);
    IF pg_catalog.current_setting('lock_timeout') = '0' THEN
        PERFORM pg_catalog.set_config('lock_timeout', '10s', true);
    END IF;
    tl_lock_timeout := pg_catalog.current_setting('lock_timeout');
    -- No policy changes meanwhile. Vacuums and index builds are waited for and blocked: an
    -- autovacuum gives way after deadlock_timeout. No reader or writer waits for this.
    SELECT pg_catalog.string_agg(pg_catalog.format('threadline.%I', c.relname), ', ')
    INTO tl_tables
    FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relkind IN ('r', 'p');
    EXECUTE 'LOCK TABLE ' || tl_tables || ' IN SHARE UPDATE EXCLUSIVE MODE';
    -- The other locks are requested at once and for a moment only, and released if another
    -- session has one. A session that waits for one of them checks for a deadlock after
    -- deadlock_timeout and would be the one that fails; by then they are free again.
    tl_until := pg_catalog.clock_timestamp() + tl_lock_timeout::interval;
    tl_moment := 0.1 * pg_catalog.current_setting('deadlock_timeout')::interval;
    LOOP
        BEGIN
            tl_given_back := pg_catalog.clock_timestamp() + tl_moment;
            FOREACH tl_statement IN ARRAY tl_statements LOOP
                PERFORM pg_catalog.set_config('lock_timeout', greatest(1, pg_catalog.ceil(
                    1000 * extract(epoch FROM tl_given_back - pg_catalog.clock_timestamp())))::text, true);
                EXECUTE tl_statement;
            END LOOP;
            EXIT;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            IF pg_catalog.clock_timestamp() > tl_until THEN
                RAISE EXCEPTION 'threadline: the migration waited % for locks that other sessions have (%), and nothing is changed; run it again when they have ended, or with a longer lock_timeout',
                    tl_lock_timeout,
                    (SELECT coalesce(pg_catalog.string_agg(DISTINCT pg_catalog.format('process %s of %L', a.pid, a.application_name), ', '), 'gone by now')
                     FROM pg_catalog.pg_locks AS l
                     JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid AND a.datname = pg_catalog.current_database()
                     WHERE l.granted AND l.pid <> pg_catalog.pg_backend_pid()
                       AND l.relation IN (SELECT c.oid FROM pg_catalog.pg_class AS c WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace))
                    USING ERRCODE = 'lock_not_available';
            END IF;
            PERFORM pg_catalog.pg_sleep(extract(epoch FROM tl_moment) * (0.5 + pg_catalog.random()));
            tl_moment := least(1.5 * tl_moment, 0.7 * pg_catalog.current_setting('deadlock_timeout')::interval);
        END;
    END LOOP;
    PERFORM pg_catalog.set_config('lock_timeout', tl_lock_timeout, true);
