//! The fixes that `audit verify` prints can be pasted into psql unchanged.

use threadline_test_server::Server;
use threadline_tests::{Database, run, scratch_dir};

use super::audit;

const TABLES: &str = include_str!("../../migrations/2026-11-01-090000-0000_create_members/up.sql");

/// Returns the text printed below the findings, without the examples of records.
fn fixes(shown: &str) -> String {
    let is_fix = |line: &&str| line.starts_with("    ") && !line.contains("  expected ");
    shown
        .lines()
        .filter(is_fix)
        .fold(String::new(), |fixes, line| fixes + line + "\n")
}

#[test]
fn every_fix_that_is_printed_can_be_pasted_into_psql() {
    for damage in [
        // The call of a model has several lines.
        "SELECT threadline.audit_as_decided('members'); ALTER TABLE payments ENABLE TRIGGER \"!threadline_capture_2\";
         CREATE TABLE \"a\nb'c\\d\"\"e\x1b[31m\" (\"id\n\" int PRIMARY KEY, \"x\t\" text); CREATE TABLE \"Keyless\" (line text);
         CREATE TABLE devices (id int PRIMARY KEY, \"api\nkey\" text, api_key text); SELECT threadline.audit_as_decided('devices')",
        "SELECT threadline.unaudit('members'); ALTER TABLE payments ADD city text, ALTER purpose TYPE varchar;
         CREATE TABLE \"a\nb'c\\d\"\"e\x1b[31m\" (\"id\n\" int PRIMARY KEY, \"x\t\" text, \"pass\u{202e}word\" text);
         SELECT threadline.audit('\"a\nb''c\\d\"\"e\x1b[31m\"', mask => ARRAY['x\t'], operations => ARRAY['insert', 'update'], condition => E'NEW.\"x\t\" <> ''\\n''\n OR  NEW.\"x\t\" IS NULL');
         ALTER TABLE \"a\nb'c\\d\"\"e\x1b[31m\" DISABLE TRIGGER ALL",
        "DROP TRIGGER \"!threadline_capture_1\" ON members; DROP TRIGGER \"!threadline_truncate_2\" ON payments;
         CREATE TABLE \"a\nb'c\\d\"\"e\x1b[31m\" (\"id\n\" int PRIMARY KEY, \"x\t\" text);
         SELECT threadline.audit('\"a\nb''c\\d\"\"e\x1b[31m\"', mask => ARRAY['x\t'], operations => ARRAY['insert', 'update'], condition => E'NEW.\"x\t\" <> ''\\n''\n OR  NEW.\"x\t\" IS NULL');
         DROP TABLE \"a\nb'c\\d\"\"e\x1b[31m\"; CREATE TABLE \"a\nb'c\\d\"\"e\x1b[31m\" (\"id\n\" int PRIMARY KEY, \"x\t\" text)",
        "ALTER TABLE payments DROP CONSTRAINT payments_pkey; UPDATE threadline.audited_tables SET capture_version = 1;
         CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY LIST (id); SELECT threadline.audit('parts');
         CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1); ALTER TABLE parts_1 DISABLE TRIGGER ALL",
        "CREATE OR REPLACE FUNCTION threadline.capture_2() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TABLE copy (LIKE members INCLUDING ALL); SELECT threadline.audit('copy', exclude => ARRAY['password_hash']);
         CREATE TRIGGER \"!threadline_capture_1\" AFTER INSERT ON copy FOR EACH ROW EXECUTE FUNCTION threadline.capture_1();
         CREATE FUNCTION threadline.planted() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE VIEW threadline.more AS SELECT 1 AS one",
        "DROP TABLE payments; CREATE TABLE payments (id bigint PRIMARY KEY, member_id bigint, cents bigint, purpose text);
         CREATE TRIGGER again AFTER INSERT ON members FOR EACH ROW EXECUTE FUNCTION threadline.capture_1();
         CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE parts_1 (LIKE parts INCLUDING ALL);
         SELECT threadline.audit('parts'), threadline.audit('parts_1'); ALTER TABLE parts ATTACH PARTITION parts_1 FOR VALUES IN (1)",
        "INSERT INTO members VALUES (77, 'Ada', 'a', 'b'), (78, 'Bob', 'c', 'd'); SELECT threadline.post();
         ALTER TABLE members DISABLE TRIGGER USER; UPDATE members SET name = E'E\\nve' WHERE id = 77;
         DELETE FROM members WHERE id = 78; ALTER TABLE members ENABLE TRIGGER USER; SELECT threadline.refresh('members');
         SELECT setval('threadline.entry_ids', 1)",
        "INSERT INTO members VALUES (77, 'Ada', 'a', 'b'); UPDATE threadline.journal SET captured_at = captured_at - interval '1 day'",
    ] {
        let (database, conn) = &mut Database::with(TABLES);
        assert!(audit(database, &["install"]).0);
        run(conn, damage);
        // The second run of a finding is about the table that the first one fixed.
        for _ in 0..2 {
            let (_, shown, error) = audit(database, &["verify"]);
            assert_eq!(error, "", "after {damage}");
            assert!(
                !shown.chars().any(|c| c != '\n' && c.is_control()),
                "after {damage}:\n{shown}"
            );
            let file = scratch_dir().join("fixes.sql");
            std::fs::write(&file, fixes(&shown)).unwrap();
            let file = file.display().to_string();
            let url = database.url();
            Server::shared().run(
                "psql",
                &["--dbname", &url, "-q", "-v", "ON_ERROR_STOP=1", "-f", &file],
            );
        }
        let (_, shown, _) = audit(database, &["verify"]);
        let left: Vec<_> = shown
            .lines()
            // Past incidents cannot be fixed.
            .filter(|line| !line.contains("  audit-interrupted  ") && !line.contains("  unattributed  "))
            .collect();
        assert!(
            left.len() == 1 && left[0].starts_with("0 errors, 0 warnings, "),
            "after {damage}:\n{shown}"
        );
    }
}
