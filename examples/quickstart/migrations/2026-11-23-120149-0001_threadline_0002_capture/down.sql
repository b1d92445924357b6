-- Tables still audited are released first: their triggers call what goes here.
SELECT threadline.unaudit(t.relation)
FROM (
    SELECT DISTINCT g.tgrelid::regclass AS relation
    FROM pg_trigger AS g
    JOIN pg_proc AS p ON p.oid = g.tgfoid
    WHERE p.pronamespace = 'threadline'::regnamespace AND g.tgparentid = 0
) AS t;
DROP FUNCTION threadline.unaudit(regclass);
DROP FUNCTION threadline.end_audit(regclass);
DROP FUNCTION threadline.refresh(regclass);
DROP FUNCTION threadline.audit(regclass, text[], text[], boolean, boolean, text[], text[], text);
DROP FUNCTION threadline.write_policy(regclass, text[], text[], boolean, boolean, text[], text[], text);
DROP FUNCTION threadline.require_handed_over(regclass);
DROP FUNCTION threadline.take_back(regclass, text);
DROP FUNCTION threadline.hand_over(regclass);
DROP FUNCTION threadline.lock_policies();
DROP FUNCTION threadline.check_auditable(regclass);
DROP FUNCTION threadline.unnoted_renames(integer, oid);
DROP FUNCTION threadline.whole_xid(xid);
DROP FUNCTION threadline.treatment(regclass, smallint, text[], text[]);
DROP FUNCTION threadline.drop_triggers(regclass);
DROP FUNCTION threadline.install_triggers(integer, regclass);
DROP FUNCTION threadline.expected_triggers(integer, regclass, boolean);
DROP FUNCTION threadline.captures_by_statement(integer, regclass);
DROP FUNCTION threadline.find_audited_table(text);
DROP FUNCTION threadline.former_table(text, text);
DROP FUNCTION threadline.build_functions(integer, regclass);
DROP FUNCTION threadline.pinned_settings(regclass);
DROP FUNCTION threadline.capture_source(integer, regclass, text);
DROP FUNCTION threadline.statement_capture_source(integer, regclass, text);
DROP FUNCTION threadline.captured_rows(integer, regclass, text, boolean);
DROP FUNCTION threadline.row_capture_source(integer, regclass);
DROP FUNCTION threadline.guard(integer, regclass);
DROP FUNCTION threadline.key_expression(integer, text);
DROP FUNCTION threadline.live_key(integer);
DROP FUNCTION threadline.audited_table_of(regclass);
DROP FUNCTION threadline.built_for(integer, regclass);
DROP FUNCTION threadline.unchanged_expression(integer, regclass, text, text);
DROP FUNCTION threadline.changes_expression(integer, regclass, text, text, text);
DROP FUNCTION threadline.value_expression(text, text, regtype, text);
DROP FUNCTION threadline.image_expression(integer, regclass, text);
DROP FUNCTION threadline.capture_functions(integer);
DROP FUNCTION threadline.policy(text[], text[], boolean, text[], text[], text);
DROP FUNCTION threadline.capture_version();
DROP FUNCTION threadline.put_in_order(integer, regclass, text, bigint);
DROP FUNCTION threadline.key_condition(integer, text, text);
DROP FUNCTION threadline.json_array_or_null(text);
DROP FUNCTION threadline.is_chain(threadline.audit_changes[], text, jsonb);
DROP FUNCTION threadline.capture_truncate(integer, oid, text, text, jsonb);
DROP FUNCTION threadline.capture_changed_table(oid, jsonb, jsonb, jsonb);
DROP FUNCTION threadline.require_actor(integer, bigint);
DROP FUNCTION threadline.current_transaction();
DROP FUNCTION threadline.open_transaction(text);
DROP FUNCTION threadline.statement_number();
DROP FUNCTION threadline.readable(regclass);
DROP FUNCTION threadline.plans_foreign_code(regclass);
DROP FUNCTION threadline.withheld(integer, oid, oid);
DROP FUNCTION threadline.suspended();
DROP FUNCTION threadline.captured_relation(integer);
DROP TYPE threadline.captured;
DROP FUNCTION threadline.columns_stand(integer, text);
DROP FUNCTION threadline.columns_match(integer, oid, jsonb);
DROP FUNCTION threadline.audited_relation(oid, oid);
DROP FUNCTION threadline.fingerprint(regclass);
DROP FUNCTION threadline.key_columns_of(regclass);
DROP FUNCTION threadline.own_rows(regclass);
DROP FUNCTION threadline.typed_row(regclass, text);
DROP FUNCTION threadline.columns_of(regclass);
DROP FUNCTION threadline.redacted_image(jsonb, text[], jsonb);
DROP FUNCTION threadline.placeholder(regtype);
DROP FUNCTION threadline.row_image(anyelement);
DROP FUNCTION threadline.json_form(oid, text);
DROP FUNCTION threadline.base_type(oid);
DROP FUNCTION threadline.json_image(json);
DROP FUNCTION threadline.key_in_image(jsonb, text[], text[]);
DROP FUNCTION threadline.record_key(record, text[]);
DROP FUNCTION threadline.key_text(jsonb);
DELETE FROM threadline.schema_patches WHERE version = 2;
