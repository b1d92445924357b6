//! The program without an application.

use std::process::Command;

use threadline_test_server::Server;

fn threadline(arguments: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_threadline"))
        .args(arguments)
        .env_remove("DATABASE_URL")
        .output()
        .unwrap();
    (
        output.status.success(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn it_only_reads() {
    let (done, help, _) = threadline(&["--help"]);
    assert!(done);
    let commands: Vec<_> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    assert_eq!(
        commands,
        [
            "history",
            "timeline",
            "actions",
            "summary",
            "actor",
            "transaction",
            "as-of",
            "blame",
            "export",
            "help"
        ]
    );
}

#[test]
fn it_says_what_a_database_lacks() {
    let url = Server::shared().url();
    let (done, _, error) = threadline(&["timeline", "--database-url", url]);
    assert!(!done);
    assert!(
        error.starts_with("error: the audit schema is not installed in this database"),
        "{error}"
    );
}
