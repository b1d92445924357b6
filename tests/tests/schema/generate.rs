use std::fs;
use std::path::{Path, PathBuf};

use threadline::{ErrorKind, Models};
use threadline_tests::{patches, scratch_dir};

use super::app::{Device, DeviceNext, Post, PostNext, User};

fn folders(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The folder's name without its version.
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
    let mut expected: Vec<_> = patches()
        .into_iter()
        .map(|patch| format!("threadline_{}", patch.name))
        .collect();
    let policies_from = expected.len();
    expected.extend([
        "threadline_audit_users".into(),
        "threadline_audit_blog_posts".into(),
    ]);
    assert_eq!(names, expected);
    for (folder, patch) in written.iter().zip(patches()) {
        assert_eq!(read(folder, "up.sql"), patch.up);
        assert_eq!(read(folder, "down.sql"), patch.down);
    }
    let policies: Vec<_> = written[policies_from..]
        .iter()
        .flat_map(|folder| [read(folder, "up.sql"), read(folder, "down.sql")])
        .collect();
    insta::assert_snapshot!("policies", policies.join("\n========\n"));
    assert_eq!(folders(&dir).len(), written.len());

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
    // Back again is a change, too.
    assert_eq!(threadline::models![Post].generate(&dir).unwrap().len(), 1);
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
    // Where nothing is redacted there is nothing to decide.
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
        matches!(error.kind(), ErrorKind::Undecided { columns } if columns.len() == 3),
        "{error:?}"
    );
    insta::assert_snapshot!("undecided", error);
    assert_eq!(folders(&dir), [""; 0]);
    assert_eq!(
        models.check(&dir).unwrap_err().to_string(),
        error.to_string()
    );

    let models = threadline::models![User, Post, DeviceNext];
    let written = models.generate(&dir).unwrap();
    insta::assert_snapshot!("decided", read(written.last().unwrap(), "up.sql"));
    models.check(&dir).unwrap();
    // One that comes later asks again.
    let mut specs = models.specs().to_vec();
    specs[1].columns.push("ssn".into());
    let error = Models::new(specs).check(&dir).unwrap_err();
    assert!(error.to_string().contains(r#""blog"."posts"."ssn""#));
}

#[test]
fn a_model_that_is_not_listed_is_left_alone() {
    let dir = scratch_dir();
    threadline::models![User, Post].generate(&dir).unwrap();
    threadline::models![Post].check(&dir).unwrap();
}

#[test]
fn what_somebody_wrote_by_hand_counts() {
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
    let versions: Vec<_> = folders(&dir)
        .iter()
        .map(|folder| folder.split('_').next().unwrap().replace('-', ""))
        .collect();
    let mut unique = versions.clone();
    unique.dedup();
    assert_eq!(versions, unique);
    let sorted: Vec<PathBuf> = folders(&dir)[2..]
        .iter()
        .map(|folder| dir.join(folder))
        .collect();
    assert_eq!(sorted, written);
    // Every generation in the same second as the one before still comes later.
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
    assert!(error.contains("the folders `2026-01-01-000000_a` and `20260101000000_b` have one version, 20260101000000"), "{error}");

    let dir = scratch_dir();
    existing(&dir, "V2_users", "");
    let error = threadline::models![User]
        .generate(&dir)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("version `V2` sorts after every timestamp"),
        "{error}"
    );
    assert_eq!(folders(&dir), ["V2_users"]);
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
        r#"the models `Post` and `PostNext` give table "blog"."posts" different audit policies; a table has one. Make their #[audited(...)] the same"#
    );
}
