use clap::Args as _;
use threadline_tests::{assert_contains, scratch_dir};

use super::{Place, run_in};

/// The commands that it lists.
fn commands(place: &Place) -> Vec<String> {
    place
        .done(&["--help"])
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_help_lists_every_command() {
    let expected: &[&str] = &[
        "install",
        "audit",
        "generate",
        "check",
        "status",
        "verify",
        "refresh",
        "unaudit",
        "protect",
        "work",
        "purge",
        "hold",
        "release",
        "erase",
        "erasures",
        "subject",
        "revert",
        #[cfg(feature = "web")]
        "serve",
        "history",
        "timeline",
        "actions",
        "summary",
        "actor",
        "transaction",
        "as-of",
        "blame",
        "export",
        "help",
    ];
    assert_eq!(commands(&Place::new()), expected);
}

/// The forms of JSON are tested with the commands of an application.
#[test]
fn commands_that_only_the_program_has_print_no_json() {
    let of_applications = threadline_cli::Audit::augment_args(clap::Command::new("audit"));
    let place = Place::new();
    let its_own: Vec<_> = commands(&place)
        .into_iter()
        .filter(|command| of_applications.find_subcommand(command).is_none())
        .collect();
    assert_eq!(its_own, ["audit", "help"]);
    let help = place.done(&["audit", "--help"]);
    assert!(!help.contains("--json"), "{help}");
}

#[test]
fn the_version_names_the_program() {
    let version = Place::new().done(&["--version"]);
    assert_eq!(
        version,
        format!("threadline {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn it_says_how_a_database_is_named() {
    for command in ["timeline", "install", "work", "status"] {
        let run = run_in(&scratch_dir(), None, &[command]);
        assert_ne!(run.code, 0);
        assert_contains(
            &run.error,
            "no database is named: set DATABASE_URL, in the environment or in a `.env` file",
        );
    }
}

#[test]
fn a_dot_env_file_names_the_database() {
    let place = Place::new();
    let env = format!("DATABASE_URL={}\n", place.database.url());
    std::fs::write(place.dir.join(".env"), env).unwrap();
    let run = run_in(&place.dir, None, &["install"]);
    assert_eq!(run.code, 0, "{}", run.error);
}

#[test]
fn it_says_what_a_database_lacks() {
    let error = Place::new().refused(&["timeline"]);
    assert_eq!(
        error,
        "error: the audit schema is not installed in this database; run `threadline install`\n"
    );
}

#[test]
fn an_export_of_nothing_that_can_be_read_prints_no_header() {
    let place = Place::new();
    let run = place.run(&["export", "--table", "members"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""), "{}", run.error);

    place.done(&["install"]);
    let run = place.run(&["export", "--table", "members"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""), "{}", run.error);
}

#[test]
fn an_applications_program_takes_arguments_of_ones_own() {
    let dir = scratch_dir();
    let dir = dir.to_str().unwrap();
    let run = |arguments: [&str; 3]| {
        let models = threadline::Models::new(vec![]);
        let end = threadline_cli::run_from(models, ["app"].iter().chain(&arguments));
        format!("{end:?}")
    };
    let done = format!("{:?}", std::process::ExitCode::SUCCESS);
    assert_ne!(run(["check", "--migration-dir", dir]), done);
    assert_eq!(run(["generate", "--migration-dir", dir]), done);
    assert_eq!(run(["check", "--migration-dir", dir]), done);
}
