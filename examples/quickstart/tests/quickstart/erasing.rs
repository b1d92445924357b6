//! The commands of the guide "Erasing a person".

use threadline_tests::{assert_contains, run, scratch_dir, value};

use super::{after_quickstart, audit, done};

#[test]
fn a_member_is_erased_listed_erased_again_and_exported() {
    let database = after_quickstart();
    let conn = &mut database.connect();
    let erase = [
        "erase",
        "--subject",
        "members:1",
        "--reason",
        "request 2026-31",
        "--yes",
    ];
    let (success, _, error) = audit(&database, &erase);
    assert!(!success);
    assert_contains(
        &error,
        "no policy declares personal columns of records of public.members",
    );
    let name = value(conn, "SELECT row_data ->> 'name' FROM threadline.changes WHERE table_name = 'members' AND key ->> 'id' = '1' AND row_data ? 'name' ORDER BY id LIMIT 1").unwrap();
    let exported = done(&database, &["subject", "members:1", "--actor", "user:1"]);
    assert_contains(&exported, &name);
    let end = exported.lines().last().unwrap();
    assert_contains(end, r#""kind":"end""#);

    let named = [&erase[..], &["--column", "members.name"]].concat();
    let shown = done(&database, &named);
    assert!(
        shown.starts_with("Erasure 1 of public.members:1 is done: values of ")
            && shown.contains("If this is the same person, erase them too: audit erase --subject public.members:1 --actor user:1\n"),
        "{shown}"
    );
    let exported = done(&database, &["subject", "members:1"]);
    assert!(
        exported.contains("erased:1") && !exported.contains(&name),
        "{exported}"
    );
    let shown = done(&database, &["history", "members", "1"]);
    assert!(
        shown.contains("erased:1") && !shown.contains(&name),
        "{shown}"
    );

    let list = done(&database, &["erasures", "--json"]);
    let shown = done(&database, &["erasures"]);
    assert!(
        shown.contains("members:1") && shown.contains("request 2026-31"),
        "{shown}"
    );
    let file = scratch_dir().join("erasures.ndjson");
    std::fs::write(&file, list).unwrap();
    let file = file.display().to_string();
    let shown = done(&database, &["erase", "--again", &file, "--yes"]);
    assert!(
        shown.starts_with("Erasure 2 of public.members:1 is done: values of 0 changes and texts of 0 actions and transactions.\n"),
        "{shown}"
    );
    run(
        conn,
        "SELECT threadline.begin_erasure('members', '1', 'request 2026-32', ARRAY['members.name'])",
    );
    let shown = done(&database, &["erase", "--unfinished"]);
    assert!(
        shown.starts_with("Erasure 3 of public.members:1 is done"),
        "{shown}"
    );
    assert_eq!(done(&database, &["erase", "--unfinished"]), "");
    let (success, _, error) = audit(
        &database,
        &["erase", "--subject", "members", "--reason", "x"],
    );
    assert!(!success);
    assert_contains(&error, "such as users:42");
}
