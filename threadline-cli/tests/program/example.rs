use std::process::Command;

use threadline_test_server::root;
use threadline_tests::{Database, assert_contains_all};

/// The command of its README, with the programs that are here.
#[test]
fn the_example_without_rust_does_what_its_readme_says() {
    let database = Database::empty();
    let psql = database.server().command("psql");
    let output = Command::new("sh")
        .arg(root().join("examples/sql-only/run.sh"))
        .env("DATABASE_URL", database.url())
        .env("THREADLINE", env!("CARGO_BIN_EXE_threadline"))
        .env("PSQL", psql.get_program())
        .env_remove("THREADLINE_TABLES")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{error}");
    assert_contains_all(
        &said,
        &[
            "2 tables are now audited as the file says.",
            "members    audited",
            "insert | payments   | {\"id\": 1} | service_account:bank-import",
            "member.renamed | grace    | she married",
            "Ada Byron | Ada Lovelace",
            "update of members 1 by admin:grace",
            "4 entries were moved into the ledger.",
            "0 errors, 0 warnings",
        ],
    );
    for secret in ["s3cr3t", "ada@example.com"] {
        assert!(!said.contains(secret), "{said}");
    }
}
