use std::fs;
use std::path::{Path, PathBuf};

use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use threadline::__cli::remarks;
use threadline::{ErrorKind, Models};
use threadline_tests::{
    Database, NEWEST, assert_contains, assert_value, names_in, run, scratch_dir,
};

use super::app::{Device, DeviceNext, NO_TABLES, Post, PostNext, TABLES, User};

/// Returns the folder's name without its version.
fn name(folder: &Path) -> String {
    let name = folder.file_name().unwrap().to_str().unwrap();
    name.split_once('_').unwrap().1.to_owned()
}

fn read(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap()
}

fn existing(dir: &Path, folder: &str, up: &str) {
    fs::create_dir(dir.join(folder)).unwrap();
    fs::write(dir.join(folder).join("up.sql"), up).unwrap();
}

#[test]
fn schema_and_policies_are_written_once() {
    let dir = scratch_dir();
    let models = threadline::models![User, Post];
    let error = models.check(&dir).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OutOfDate { .. }));
    insta::assert_snapshot!("out_of_date", error);

    let written = models.generate(&dir).unwrap();
    let names: Vec<_> = written.iter().map(|folder| name(folder)).collect();
    assert_eq!(
        names,
        [
            &format!("threadline_schema_v{NEWEST}"),
            "threadline_audit_users",
            "threadline_audit_blog_posts"
        ]
    );
    let policies: Vec<_> = written[1..]
        .iter()
        .flat_map(|folder| [read(folder, "up.sql"), read(folder, "down.sql")])
        .collect();
    insta::assert_snapshot!("policies", policies.join("\n========\n"));
    assert_eq!(names_in(&dir).len(), written.len());

    models.check(&dir).unwrap();
    assert!(models.generate(&dir).unwrap().is_empty());
    assert!(
        threadline::models![Post, User]
            .generate(&dir)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_changed_policy_gets_a_folder_whose_down_puts_the_old_one_back() {
    let dir = scratch_dir();
    threadline::models![User, Post].generate(&dir).unwrap();
    let written = threadline::models![User, PostNext].generate(&dir).unwrap();
    assert_eq!(written.len(), 1);
    insta::assert_snapshot!(
        "changed_policy",
        [read(&written[0], "up.sql"), read(&written[0], "down.sql")].join("\n========\n")
    );
    threadline::models![PostNext].check(&dir).unwrap();
    // A change back is a change, too.
    assert_eq!(threadline::models![Post].generate(&dir).unwrap().len(), 1);
}

/// The continued table is no part of the policy, and may be gone when it is reverted.
#[test]
fn a_policy_that_continued_a_history_is_one_with_the_model_and_can_be_taken_back() {
    let dir = scratch_dir();
    let written = threadline::models![Post].generate(&dir).unwrap();
    let up = written.last().unwrap().join("up.sql");
    let sql = fs::read_to_string(&up).unwrap();
    let continued = sql.replace("posts\"');", "posts\"', continues => 'blog.posts_old');");
    assert_ne!(sql, continued);
    fs::write(&up, continued).unwrap();
    threadline::models![Post].check(&dir).unwrap();
    let written = threadline::models![PostNext].generate(&dir).unwrap();
    let down = read(&written[0], "down.sql");
    assert_contains(&down, ", continues => to_regclass('blog.posts_old'));");

    let (_, conn) = &mut Database::with(TABLES);
    run(conn, "SELECT threadline.audit('blog.posts')");
    run(conn, &down);
}

#[test]
fn a_new_column_beside_redacted_ones_asks_for_a_decision() {
    let dir = scratch_dir();
    let models = threadline::models![User];
    models.generate(&dir).unwrap();
    let mut specs = models.specs().to_vec();
    specs[0].columns.push("phone".into());
    let grown = Models::new(specs);
    assert!(grown.check(&dir).is_err());
    let written = grown.generate(&dir).unwrap();
    assert!(
        read(&written[0], "up.sql").contains("-- Columns: id, name, email, password_hash, phone\n")
    );
    let down = read(&written[0], "down.sql");
    assert_contains(
        &down,
        "    known => ARRAY['id', 'name', 'email', 'password_hash']\n);",
    );
    grown.check(&dir).unwrap();
    // Without redaction there is nothing to decide.
    let models = threadline::models![Post];
    models.generate(&dir).unwrap();
    let mut specs = models.specs().to_vec();
    specs[0].columns.push("more".into());
    Models::new(specs).check(&dir).unwrap();
}

#[test]
fn a_column_that_looks_secret_asks_for_a_decision_before_it_is_recorded() {
    let dir = scratch_dir();
    let models = threadline::models![User, Post, Device];
    let error = models.generate(&dir).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Undecided { columns } if columns.len() == 2),
        "{error:?}"
    );
    insta::assert_snapshot!("undecided", error);
    assert_eq!(names_in(&dir), [""; 0]);
    assert_eq!(
        models.check(&dir).unwrap_err().to_string(),
        error.to_string()
    );

    let models = threadline::models![User, Post, DeviceNext];
    let written = models.generate(&dir).unwrap();
    insta::assert_snapshot!("decided", read(written.last().unwrap(), "up.sql"));
    models.check(&dir).unwrap();
    // A later column needs a decision again.
    let mut specs = models.specs().to_vec();
    specs[1].columns.push("ssn".into());
    let error = Models::new(specs).check(&dir).unwrap_err();
    assert!(error.to_string().contains(r#""blog"."posts"."ssn""#));
}

/// As after a merge, if the branch that was begun first was merged last.
#[test]
fn policies_of_two_branches_are_said_again_so_that_their_order_does_not_matter() {
    let with = |mask: &str| {
        let mut specs = threadline::models![Post].specs().to_vec();
        specs[0].policy.column_policies = vec![(mask.to_owned(), threadline::ColumnPolicy::Mask)];
        Models::new(specs)
    };
    let main = scratch_dir();
    threadline::models![Post].generate(&main).unwrap();
    let branch = |mask: &str| {
        let dir = scratch_dir();
        threadline::models![Post].generate(&dir).unwrap();
        let written = with(mask).generate(&dir).unwrap();
        (read(&written[0], "up.sql"), read(&written[0], "down.sql"))
    };
    let newest = names_in(&main).pop().unwrap();
    let time = newest.rsplit_once("-000").unwrap().0.to_owned();
    for (number, mask) in [(8, "title"), (9, "author")] {
        let (up, down) = branch(mask);
        let folder = format!("{time}-000{number}_threadline_audit_blog_posts");
        existing(&main, &folder, &up);
        fs::write(main.join(folder).join("down.sql"), down).unwrap();
    }

    let models = with("author");
    let error = models.check(&main).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::OutOfDate { .. }),
        "{error}"
    );
    let written = models.generate(&main).unwrap();
    assert_eq!(written.len(), 1);
    let up = read(&written[0], "up.sql");
    assert_contains(&up, "-- Said again: ");
    models.check(&main).unwrap();
    assert_eq!(models.generate(&main).unwrap().len(), 0);

    // A database that ran the later one first.
    let (_, conn) = &mut Database::empty().connected();
    run(conn, TABLES);
    let mut order = names_in(&main);
    let last = order.len() - 1;
    order.swap(last - 1, last - 2);
    for folder in &order {
        run(conn, &read(&main.join(folder), "up.sql"));
    }
    assert!(models.status(conn).unwrap().is_current());
}

#[test]
fn a_model_on_a_view_is_refused_before_its_migration_is_written() {
    let dir = scratch_dir();
    existing(
        &dir,
        "2026-01-01-000000-0000_create_users",
        "CREATE TABLE people (id bigint);\nCREATE MATERIALIZED VIEW users AS SELECT * FROM people;\n",
    );
    let models = threadline::models![User];
    let error = models.generate(&dir).unwrap_err().to_string();
    assert_eq!(
        error,
        r#"model `User` audits "users", which is a materialized view (2026-01-01-000000-0000_create_users); audit the tables that it shows"#
    );
    assert_eq!(models.check(&dir).unwrap_err().to_string(), error);

    // An incomplete one blocks the folder, also after the model is gone.
    let none = Models::new(vec![]);
    none.generate(&dir).unwrap();
    existing(
        &dir,
        "2026-01-02-000000-0000_audit",
        "SELECT threadline.audit_as_decided('\"users\"');\n",
    );
    for refused in [none.generate(&dir).map(drop), none.check(&dir)] {
        assert_eq!(
            refused.unwrap_err().to_string(),
            "2026-01-02-000000-0000_audit audits a materialized view and cannot run; delete that folder"
        );
    }
}

#[test]
fn a_model_that_is_not_listed_is_left_alone_and_named() {
    let dir = scratch_dir();
    let both = threadline::models![User, Post];
    both.generate(&dir).unwrap();
    let one = threadline::models![User];
    one.check(&dir).unwrap();
    assert_eq!(remarks(&both, &dir, &[]).unwrap(), [""; 0]);
    let said = remarks(&one, &dir, &[]).unwrap();
    assert_eq!(
        said,
        [format!(
            "{} audits \"blog\".\"posts\", and no model declares it any more. It stays audited; to end that, write a migration with SELECT threadline.unaudit('\"blog\".\"posts\"');",
            names_in(&dir).last().unwrap()
        )]
    );
    let (_, call) = said[0].split_once("with ").unwrap();
    existing(&dir, "2999-01-01-000000-0000_end", call);
    assert_eq!(remarks(&one, &dir, &[]).unwrap(), [""; 0]);
    // Nor a table without a model.
    existing(
        &dir,
        "2999-01-02-000000-0000_by_hand",
        "SELECT threadline.audit('imports');",
    );
    assert_eq!(remarks(&one, &dir, &[]).unwrap(), [""; 0]);
}

fn posts_as(table: &str) -> Models {
    let mut specs = threadline::models![Post].specs().to_vec();
    specs[0].table = table.to_owned();
    Models::new(specs)
}

#[test]
fn a_renamed_table_keeps_its_policy_under_its_new_name() {
    let dir = scratch_dir();
    let before = threadline::models![Post];
    before.generate(&dir).unwrap();
    existing(
        &dir,
        "2999-01-01-000000-0000_rename",
        "ALTER TABLE blog.posts RENAME TO articles;\nALTER TABLE blog.articles SET SCHEMA public;\n",
    );
    // The old model is left alone, and the renamed table is named.
    assert!(before.generate(&dir).unwrap().is_empty());
    let after = posts_as("\"articles\"");
    assert_eq!(remarks(&after, &dir, &[]).unwrap(), [""; 0]);
    let remarks_before = remarks(&before, &dir, &[]).unwrap();
    let [said] = &remarks_before[..] else {
        panic!("{remarks_before:?}")
    };
    assert!(
        said.ends_with("audits \"blog\".\"posts\", which 2999-01-01-000000-0000_rename renamed to \"articles\", and no model declares \"articles\". It stays audited; change the table name of its model, or to end the audit, write a migration with SELECT threadline.unaudit('\"articles\"');"),
        "{said}"
    );

    let written = after.generate(&dir).unwrap();
    assert_eq!(written.len(), 1);
    insta::assert_snapshot!(
        "renamed_table",
        [read(&written[0], "up.sql"), read(&written[0], "down.sql")].join("\n========\n")
    );
    after.check(&dir).unwrap();
    assert!(after.generate(&dir).unwrap().is_empty());
    assert_eq!(remarks(&after, &dir, &[]).unwrap(), [""; 0]);

    // A down.sql as versions before wrote it.
    fs::write(
        written[0].join("down.sql"),
        "SELECT threadline.unaudit('\"articles\"');\n",
    )
    .unwrap();
    let error = after.check(&dir).unwrap_err().to_string();
    assert!(
        error.ends_with("/down.sql ends the audit of \"articles\", which was audited before under another name. Replace its statement by: SELECT threadline.unaudit_as_before('\"articles\"');"),
        "{error}"
    );

    // Renamed back without an audit, it is as before.
    existing(
        &dir,
        "2999-01-02-000000-0000_there_and_back",
        "ALTER TABLE articles RENAME TO essays; ALTER TABLE essays RENAME TO articles;",
    );
    assert!(after.generate(&dir).unwrap().is_empty());
}

#[test]
fn a_table_that_was_created_anew_is_audited_again() {
    for (number, sql) in [
        "ALTER TABLE blog.posts RENAME TO posts_old; CREATE TABLE blog.posts (id bigint);",
        "DROP TABLE blog.posts; CREATE TABLE blog.posts (id bigint);",
        "CREATE TABLE blog.next (id bigint); DROP TABLE blog.posts; ALTER TABLE blog.next RENAME TO posts;",
        "DO $$ BEGIN EXECUTE 'DROP TABLE blog.posts'; END $$; CREATE TABLE blog.posts (id bigint);",
    ]
    .into_iter()
    .enumerate()
    {
        let dir = scratch_dir();
        let models = threadline::models![Post];
        models.generate(&dir).unwrap();
        existing(&dir, "2999-01-01-000000-0000_anew", sql);
        let written = models.generate(&dir).unwrap();
        assert_eq!(written.len(), 1, "{sql}");
        if number < 2 {
            insta::assert_snapshot!(
                format!("table_created_anew_{number}"),
                [read(&written[0], "up.sql"), read(&written[0], "down.sql")]
                    .join("\n========\n")
            );
        }
        models.check(&dir).unwrap();
        assert!(models.generate(&dir).unwrap().is_empty());
        assert_eq!(remarks(&models, &dir, &[]).unwrap(), [""; 0]);
    }
    // Not if it is there already, nor if it was audited since.
    for sql in [
        "CREATE TABLE IF NOT EXISTS blog.posts (id bigint);",
        "CREATE TEMP TABLE posts (id bigint);",
        "ALTER TABLE blog.posts RENAME TO old; CREATE TABLE blog.posts (id bigint);\nSELECT threadline.audit('\"blog\".\"posts\"', continues => 'blog.old'); DROP TABLE blog.old;",
    ] {
        let dir = scratch_dir();
        let models = threadline::models![Post];
        models.generate(&dir).unwrap();
        existing(&dir, "2999-01-01-000000-0000_by_hand", sql);
        models.check(&dir).unwrap();
    }
}

#[test]
fn a_column_that_is_no_longer_redacted_is_named() {
    let dir = scratch_dir();
    threadline::models![User].generate(&dir).unwrap();
    let mut specs = threadline::models![User].specs().to_vec();
    specs[0].columns = ["id", "name", "email", "pass"].map(str::to_owned).to_vec();
    specs[0].policy.column_policies = vec![];
    let models = Models::new(specs);
    let written = models.generate(&dir).unwrap();
    let up = read(&written[0], "up.sql");
    let comments: Vec<_> = up
        .lines()
        .filter(|line| line.starts_with("-- No"))
        .collect();
    assert_eq!(
        comments,
        [
            "-- No longer masked: email",
            "-- No longer excluded: password_hash, which model `User` does not have. If it was renamed, give its new name a policy",
        ]
    );
    let name = written[0].file_name().unwrap().to_str().unwrap();
    assert_eq!(
        remarks(&models, &dir, &written).unwrap()[0],
        format!("{name}: No longer masked: email")
    );
    models.check(&dir).unwrap();
    assert!(models.generate(&dir).unwrap().is_empty());
}

#[test]
fn migrations_written_by_hand_count() {
    let dir = scratch_dir();
    threadline::models![Post].generate(&dir).unwrap();
    existing(
        &dir,
        "2999-01-01-000000-0000_stop",
        "SELECT threadline.unaudit('blog.posts');",
    );
    let written = threadline::models![Post].generate(&dir).unwrap();
    assert_eq!(written.len(), 1);
    assert_eq!(
        written[0].file_name().unwrap().to_str().unwrap(),
        "2999-01-01-000001-0000_threadline_audit_blog_posts"
    );
}

#[test]
fn new_versions_come_after_all_that_are_there_and_are_their_own() {
    let dir = scratch_dir();
    existing(&dir, "00000000000000_diesel_initial_setup", "");
    existing(&dir, "2026-01-01-000000-0000_create_users", "");
    let written = threadline::models![User, Post].generate(&dir).unwrap();
    let versions: Vec<_> = names_in(&dir)
        .iter()
        .map(|folder| folder.split('_').next().unwrap().replace('-', ""))
        .collect();
    let mut unique = versions.clone();
    unique.dedup();
    assert_eq!(versions, unique);
    let sorted: Vec<PathBuf> = names_in(&dir)[2..]
        .iter()
        .map(|folder| dir.join(folder))
        .collect();
    assert_eq!(sorted, written);
    // A migration generated in the same second as the one before still comes later.
    let again = threadline::models![PostNext].generate(&dir).unwrap();
    assert!(again[0] > *written.last().unwrap());
}

#[test]
fn a_folder_that_cannot_be_worked_with_is_named() {
    let dir = scratch_dir();
    let missing = dir.join("nowhere");
    let error = threadline::models![User]
        .generate(&missing)
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("nowhere is not a folder; create it with `diesel setup`, or name the application's migrations folder"), "{error}");

    existing(&dir, "2026-01-01-000000_a", "");
    existing(&dir, "20260101000000_b", "");
    let error = threadline::models![User]
        .generate(&dir)
        .unwrap_err()
        .to_string();
    assert_contains(
        &error,
        "the folders `2026-01-01-000000_a` and `20260101000000_b` have one version, 20260101000000",
    );

    let dir = scratch_dir();
    existing(&dir, "V2_users", "");
    let error = threadline::models![User]
        .generate(&dir)
        .unwrap_err()
        .to_string();
    assert_contains(&error, "version `V2` sorts after every timestamp");
    assert_eq!(names_in(&dir), ["V2_users"]);
}

#[test]
fn a_merge_conflict_in_a_migration_is_refused_with_its_line() {
    let dir = scratch_dir();
    let models = threadline::models![Post];
    models.generate(&dir).unwrap();
    let newest = names_in(&dir).pop().unwrap();
    let up = dir.join(&newest).join("up.sql");
    let text = fs::read_to_string(&up).unwrap();
    let conflict = |marks: [&str; 3]| {
        let [ours, middle, theirs] = marks;
        text.replace(
            "\"posts\"');",
            &format!("\"posts\"',\n{ours}\n    mask => ARRAY['title']\n{middle}\n    require_actor => true\n{theirs}\n);"),
        )
    };
    for (marks, line, marker) in [
        (
            ["<<<<<<< HEAD", "=======", ">>>>>>> branch"],
            4,
            "<<<<<<< HEAD",
        ),
        (["", "=======", ">>>>>>> branch"], 6, "======="),
        (["", "", ">>>>>>> branch"], 8, ">>>>>>> branch"),
        (["", "||||||| 12ab34c", ""], 6, "||||||| 12ab34c"),
    ] {
        fs::write(&up, conflict(marks)).unwrap();
        let expected = format!(
            "{newest}/up.sql, line {line}: `{marker}` is left of a merge conflict; resolve it first"
        );
        for refused in [
            models.generate(&dir).map(drop),
            models.check(&dir),
            remarks(&models, &dir, &[]).map(drop),
        ] {
            assert_eq!(refused.unwrap_err().to_string(), expected);
        }
    }
    fs::write(&up, &text).unwrap();
    existing(&dir, "2999-01-01-000000-0000_theirs", "SELECT 1;");
    let down = dir.join("2999-01-01-000000-0000_theirs/down.sql");
    fs::write(&down, "SELECT 1;\n>>>>>>> branch\n").unwrap();
    let error = models.generate(&dir).unwrap_err().to_string();
    assert!(
        error.starts_with("2999-01-01-000000-0000_theirs/down.sql, line 2: `>>>>>>> branch`"),
        "{error}"
    );
    // A heading in a comment, and operators.
    fs::write(
        &down,
        "/*\nMembers\n=======\n*/\nSELECT '\n=======\n', 1\n<< 2;\n",
    )
    .unwrap();
    models.check(&dir).unwrap();
}

#[test]
fn two_models_of_one_table_must_agree() {
    let dir = scratch_dir();
    threadline::models![Post, Post].generate(&dir).unwrap();
    let error = threadline::models![Post, PostNext]
        .generate(&dir)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"model `Post` and model `PostNext` give table "blog"."posts" different audit policies; a table has one. Make their policies the same"#
    );
}

/// Two developers generate at once, and their branches are merged.
#[test]
fn a_schema_that_is_there_twice_is_reported_and_does_no_harm() {
    let dir = scratch_dir();
    existing(&dir, "2020-01-01-000000-0000_tables", TABLES);
    fs::write(
        dir.join("2020-01-01-000000-0000_tables/down.sql"),
        NO_TABLES,
    )
    .unwrap();
    threadline::models![User].generate(&dir).unwrap();
    let other = scratch_dir();
    existing(&other, "2999-01-01-000000-0000_later", "");
    for folder in threadline::models![Post].generate(&other).unwrap() {
        fs::rename(&folder, dir.join(folder.file_name().unwrap())).unwrap();
    }
    let models = threadline::models![User, Post];
    let error = models.check(&dir).unwrap_err().to_string();
    let error = error.replace(&names_in(&dir)[1], "[first]");
    insta::assert_snapshot!("schema_twice", error);

    let (_, conn) = &mut Database::empty().connected();
    let migrations = FileBasedMigrations::from_path(&dir).unwrap();
    conn.run_pending_migrations(migrations.clone()).unwrap();
    assert!(models.status(conn).unwrap().is_current());
    // The second does not revert the first.
    let reverted = conn.revert_all_migrations(migrations.clone()).unwrap();
    assert_eq!(reverted.len(), 5);
    conn.run_pending_migrations(migrations).unwrap();
    assert!(models.status(conn).unwrap().is_current());

    fs::remove_dir_all(dir.join(names_in(&dir)[3].as_str())).unwrap();
    models.check(&dir).unwrap();
}

#[test]
fn after_the_installer_a_migration_of_the_schema_does_nothing_either_way() {
    let dir = scratch_dir();
    let models = threadline::models![User];
    models.generate(&dir).unwrap();
    let (_, conn) = &mut Database::empty().connected();
    run(conn, TABLES);
    models.install(conn).unwrap();
    run(conn, "INSERT INTO users VALUES (1, 'Ada', 'a@x', 'h')");
    let migrations = FileBasedMigrations::from_path(&dir).unwrap();
    conn.run_pending_migrations(migrations.clone()).unwrap();
    assert!(models.status(conn).unwrap().is_current());
    conn.revert_all_migrations(migrations).unwrap();
    assert_value(conn, "SELECT count(*) FROM threadline.changes", "1");
}

#[test]
fn a_schema_that_somebody_edited_is_reported() {
    let dir = scratch_dir();
    let models = threadline::models![Post];
    let schema = models.generate(&dir).unwrap().remove(0);
    for file in ["up.sql", "down.sql"] {
        let text = read(&schema, file);
        let mut lines: Vec<_> = text.lines().collect();
        lines.drain(30..70);
        fs::write(schema.join(file), lines.join("\n")).unwrap();
        let error = models.check(&dir).unwrap_err().to_string();
        assert_contains(
            &error,
            &format!(
                "_threadline_schema_v{NEWEST}/{file} is not as threadline wrote it, from line 31 on"
            ),
        );
        // Other line ends are no edit.
        fs::write(schema.join(file), text.replace('\n', "\r\n")).unwrap();
        models.check(&dir).unwrap();
    }
}

/// A merge, or an editor, removed lines.
#[test]
fn deleted_lines_do_not_go_unnoticed() {
    let dir = scratch_dir();
    let models = threadline::models![User, PostNext];
    let written = models.generate(&dir).unwrap();
    for (place, folder) in written.iter().enumerate() {
        for file in ["up.sql", "down.sql"] {
            let path = folder.join(file);
            let text = fs::read_to_string(&path).unwrap();
            let lines: Vec<_> = text.lines().collect();
            let (step, many) = if place == 0 {
                (lines.len() / 20 + 1, 40)
            } else {
                (1, 1)
            };
            for from in (0..lines.len()).step_by(step) {
                let gone = &lines[from..lines.len().min(from + many)];
                // A comment about a policy is not the policy.
                if gone.iter().all(|line| {
                    line.starts_with("--") && !line.starts_with("-- Columns:") && place > 0
                }) {
                    continue;
                }
                let left = [&lines[..from], &lines[lines.len().min(from + many)..]].concat();
                fs::write(&path, left.join("\n")).unwrap();
                assert!(
                    models.check(&dir).is_err(),
                    "{} without {gone:?}",
                    path.display()
                );
            }
            fs::write(&path, "").unwrap();
            assert!(
                models.check(&dir).is_err(),
                "{} without anything",
                path.display()
            );
            fs::write(&path, text).unwrap();
            models.check(&dir).unwrap();
        }
    }
    fs::write(written[1].join("down.sql"), "").unwrap();
    let error = models.check(&dir).unwrap_err().to_string();
    assert_contains(
        &error,
        "_threadline_audit_users/down.sql does not undo what up.sql does. ",
    );
}

#[test]
fn a_schema_newer_than_the_crate_is_reported() {
    let dir = scratch_dir();
    existing(
        &dir,
        "2020-01-01-000000-0000_threadline_schema_v999",
        "-- The audit schema of Threadline, version 999\n",
    );
    let error = threadline::models![Post]
        .check(&dir)
        .unwrap_err()
        .to_string();
    assert_contains(&error, "update threadline in Cargo.toml");
}

/// As an application does at start-up.
#[test]
fn several_processes_run_pending_migrations_at_once() {
    let dir = scratch_dir();
    existing(&dir, "2020-01-01-000000-0000_tables", TABLES);
    let models = threadline::models![User, Post];
    models.generate(&dir).unwrap();
    let database = Database::empty();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let migrations = FileBasedMigrations::from_path(&dir).unwrap();
                threadline::run_pending_migrations(&mut database.connect(), &migrations).unwrap();
            });
        }
    });
    assert!(models.status(&mut database.connect()).unwrap().is_current());
}
