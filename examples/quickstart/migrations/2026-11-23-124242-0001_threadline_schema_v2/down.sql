-- Takes the recorded history with it. To keep it, dump it first:
--   pg_dump --schema=threadline ...
-- Written by threadline. Do not edit: `check` compares it with what the library writes.
DO $threadline$
DECLARE
    tl_installed integer;
    tl_views text[] := '{actions,audit_changes,audit_transactions,changes,kept_changes,kept_for,metrics,metrics_findings,transactions,waiting}';
    tl_types text[] := '{finding}';
    tl_functions text[] := '{all_names,alterations_of,altered_at,append_truncated,as_decided,ask_about_secrets,associated_changes,audit,audit_as_before,audit_as_decided,audit_call,audit_drift,audited_relation,audited_table_of,await_final,base_type,begin_erasure,begin_purge,blind_truncates,bounded_key,build_function,built_for,capture_source,capture_template,capture_truncate,capture_version,captured_relation,careful_change,chain_drift,chain_obstacle,changed_apart,changed_since,changes_in_spans,changes_of_person,check_auditable,check_condition,check_keep,check_personal,chosen_columns,column_drift,column_now,column_policy,columns_match,columns_noted,columns_now,columns_of,columns_stand,comparable_columns,compared_as,composite_key_json,counters,current_names,current_transaction,delete_row,drop_triggers,end_audit,entry_key,entry_transactions,erase,erase_record,erase_texts,erase_unposted,erased_columns,erased_context,erased_image,erasure_drift,exact_image,exact_images,exact_members,exact_numbers,expected_triggers,filled,final_record,find_audited_table,find_new_changes,find_records,fingerprint,fingerprint_but,first_transaction_since,fix_for,former_image,former_names,former_table,full_xid,function_drift,generation_of,give_history,hand_over,hash,hash_expression,hash_keys_match,hash_pad,held,hidden_names,hiding,hidings,highest_id,hold,image_expression,image_left,image_of,image_shown,in_force_until,in_utc,index_reference,install_triggers,instants_of,is_erased,is_final,is_hash,is_held,is_plain_type,json_array_or_null,json_documents,json_form,json_image,jsonb_merge,keep_images,keep_images_ahead,keeps_images_ahead,key_columns_of,key_condition,key_expression,key_hash,key_in_image,key_json,key_now,key_parts,key_text,key_then,key_value,keys_of_record,known_table_of,labels_since,laid,large_image,last_captured,last_transaction_by,lasting_image,lay,lay_image,left_with_partition,live_expression,live_image,live_key,live_records,locate_table,lock_erasing,lock_policies,looks_secret,mending,merges_values,misfits,name_then,named_images,named_in,names_actor,names_one_of,new_hash_key,next_key,note_absent,note_condition,note_installed_code,note_partitions,note_tampering,open_writers,overlay,own_action,own_changes,own_objects,own_rows,own_transaction,owners_before,parses_foreign_code,partitions_left,pending_changes,pending_transactions,personal_data,personal_tables,pinned_settings,placeholder,plain_columns,plain_images,plans_foreign_code,policy,policy_of_column,populate,populate_rows,position_at,post,post_again,post_all,post_batch,post_if_much,posting_drift,present_columns,purge,purge_batch,purge_end,purge_preview,purgeable,put_record_back,put_row,put_side_effects_back,quoted,read_context,readable,rebuild_captures,record_action,record_as_of,record_changes,record_key,record_replacement,recorded_again,redacted,redacted_change,redacted_image,redaction,redaction_now,redacts,reference_in,reference_name,referencing,referring_columns,referring_rows,referring_spans,refresh,refresh_all,refuse_held,refuse_unknown,relabel,relabelled_image,relation_of,release,renamed_column,renamed_image,renames_of,renumber_entries,reordered_entries,replayed_until,require_actor,require_handed_over,resume,revert_change,revert_changes,revert_record,revert_transaction,row_image,rows_as_of,rows_of_partition,secret_columns,sequences_behind,set_context,set_deferred,set_retention,set_sequence,set_sequences,set_terms,settings_needed,settle,settled,settled_record,shown_image,shows_reference,still_true,stored_in,straddling,stray_triggers,structure_drift,subject_changes,subject_keys,subject_table_of,suspend,suspended,suspended_session,table_drift,take_back,too_large,trigger_drift,truncated_unseen,type_labels,unaudit,unaudited_tables,unaudited_tables_but,unmask,unmasked,unnoted_alterations,unnoted_renames,unquoted,unrecorded,unrestorable,values_differ,watch,ways_to_undo,whereabouts,whole_image,whole_xid,why_not_final,with_column_states,with_hashes,withheld,without_marks,write_policy}';
    tl_users text;
    tl_grants jsonb := '[]';
    tl_object record;
    tl_statements text[];
    tl_statement text;
    tl_tables text;
    tl_lock_timeout text;
    tl_until timestamptz;
    tl_moment interval;
    tl_given_back timestamptz;
BEGIN
    -- One at a time, also of several processes that start at once.
    PERFORM pg_catalog.pg_advisory_xact_lock(7236831);
    IF pg_catalog.to_regclass('threadline.schema_versions') IS NOT NULL THEN
        tl_installed := (SELECT max(v.version) FROM threadline.schema_versions AS v);
    END IF;
    IF tl_installed IS NULL THEN
        RETURN;
    END IF;
    IF (SELECT v.installed_by FROM threadline.schema_versions AS v ORDER BY v.version LIMIT 1) IS DISTINCT FROM '202611231242420001' THEN
        -- Another migration has installed it, or Models::install.
        RETURN;
    END IF;
    -- Objects outside that use the code would be dropped with it.
    SELECT pg_catalog.string_agg(DISTINCT pg_catalog.format('%s uses %s',
               CASE WHEN v.oid IS NULL THEN pg_catalog.pg_describe_object(d.classid, d.objid, 0)
                    ELSE pg_catalog.format('%s %s', CASE v.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END, v.oid::pg_catalog.regclass) END,
               pg_catalog.pg_describe_object(d.refclassid, d.refobjid, 0)), '; ')
    INTO tl_users
    FROM pg_catalog.pg_depend AS d
    JOIN (
        SELECT 'pg_catalog.pg_class'::pg_catalog.regclass AS classid, c.oid, c.relname AS name, c.relkind IN ('v', 'c') AND c.relname = ANY (tl_views || tl_types) AS replaced
        FROM pg_catalog.pg_class AS c WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace
        UNION ALL
        SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, t.typname, t.typname = ANY (tl_views || tl_types)
        FROM pg_catalog.pg_type AS t WHERE t.typnamespace = 'threadline'::pg_catalog.regnamespace
        UNION ALL
        SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, p.proname, p.proname = ANY (tl_functions)
        FROM pg_catalog.pg_proc AS p WHERE p.pronamespace = 'threadline'::pg_catalog.regnamespace
    ) AS own ON own.classid = d.refclassid AND own.oid = d.refobjid AND own.replaced
    LEFT JOIN pg_catalog.pg_rewrite AS r ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = d.objid
    LEFT JOIN pg_catalog.pg_class AS v ON v.oid = r.ev_class
    LEFT JOIN pg_catalog.pg_class AS c ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid
    LEFT JOIN pg_catalog.pg_proc AS p ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.oid = d.objid
    LEFT JOIN pg_catalog.pg_type AS t ON d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = d.objid
    WHERE d.deptype = 'n'
      AND NOT coalesce(v.relnamespace = 'threadline'::pg_catalog.regnamespace AND v.relname = ANY (tl_views), false)
      AND NOT coalesce(c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relname = ANY (tl_views || tl_types), false)
      AND NOT coalesce(p.pronamespace = 'threadline'::pg_catalog.regnamespace, false)
      AND NOT coalesce(t.typnamespace = 'threadline'::pg_catalog.regnamespace, false);
    IF tl_users IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: another version of the audit schema replaces its views and functions, and %; drop it before this migration and create it again after it', tl_users;
    END IF;
    -- Audited tables are released first: their triggers call the functions dropped here.
    SELECT pg_catalog.array_agg(dropped.what ORDER BY dropped.turn)
    INTO tl_statements
    FROM (
        SELECT 1 AS turn, pg_catalog.format('DROP TRIGGER %I ON %s', g.tgname, g.tgrelid::pg_catalog.regclass) AS what
        FROM pg_catalog.pg_trigger AS g
        JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid
        WHERE p.pronamespace = 'threadline'::pg_catalog.regnamespace AND g.tgparentid = 0
        UNION ALL
        SELECT 2, pg_catalog.format('LOCK TABLE threadline.%I IN ACCESS EXCLUSIVE MODE', c.relname)
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relkind IN ('r', 'p')
        UNION ALL
        SELECT 3, pg_catalog.format('DROP VIEW IF EXISTS threadline.%I CASCADE', c.relname)
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relkind = 'v'
        UNION ALL
        SELECT 4, pg_catalog.format('DROP ROUTINE IF EXISTS threadline.%I(%s) CASCADE', p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid))
        FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace = 'threadline'::pg_catalog.regnamespace
        UNION ALL
        SELECT 5, pg_catalog.format('DROP TYPE IF EXISTS threadline.%I CASCADE', c.relname)
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relkind = 'c'
        UNION ALL
        SELECT 6, pg_catalog.format('DROP TABLE threadline.%I', c.relname)
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        UNION ALL
        SELECT 7, 'DROP SCHEMA threadline'
    ) AS dropped;
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
END
$threadline$;
