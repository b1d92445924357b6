//! Every command and every statement of the guides on operation and on audits, run in the
//! order of the guides.

use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use threadline_tests::{Database, assert_rows, assert_value, rows, run, scratch_dir, value};

use super::{after_quickstart, audit};

const PRODUCTION: &str =
    include_str!("../../../../threadline/src/docs/running_it_in_production.md");
const AUDITOR: &str = include_str!("../../../../threadline/src/docs/what_an_auditor_asks.md");

/// Commands that a guide names without their arguments, and commands that never end.
const NAMED: [&str; 4] = ["audit protect", "audit work", "audit generate", "audit"];

/// Statements that need an extension, or that another test runs as an administrator.
const ELSEWHERE: [&str; 1] = ["SELECT cron.schedule("];

const JOIN: &str = "
    INSERT INTO members (name, email, password_hash) VALUES ('Mary', 'mary@example.com', 'argon2')";

const ROLES: [&str; 7] = [
    "threadline_owner",
    "club",
    "auditor",
    "loader",
    "janitor",
    "legal",
    "privacy",
];

#[derive(Debug)]
enum Step {
    Command(String, Option<String>),
    Sql(String, Option<String>),
}

/// Returns the commands of a guide, in their order: whole blocks with their output, and
/// those in a sentence.
fn steps(guide: &str) -> Vec<Step> {
    let mut steps = vec![];
    let mut lines = guide.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            match language {
                "console" => {
                    let command = block[0].strip_prefix("$ ").expect("a prompt");
                    steps.push(Step::Command(
                        command.to_owned(),
                        Some(block[1..].join("\n")),
                    ));
                }
                "sql" => steps.push(Step::Sql(block.join("\n"), None)),
                "text" => {
                    let Some(Step::Sql(_, shown)) = steps.last_mut() else {
                        panic!("{block:?} follows no statement");
                    };
                    *shown = Some(block.join("\n"));
                }
                _ => {}
            }
            continue;
        }
        assert_eq!(
            line.matches('`').count() % 2,
            0,
            "code over two lines: {line}"
        );
        for span in line.split('`').skip(1).step_by(2) {
            if span.starts_with("audit ") && !span.starts_with("audit.") {
                steps.push(Step::Command(span.to_owned(), None));
            } else if span.starts_with("SELECT ") && span.ends_with(';') {
                steps.push(Step::Sql(span.to_owned(), None));
            }
        }
    }
    steps
}

/// Splits as a shell does.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in command.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words
}

fn squeezed(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    lines.sort();
    lines
}

struct Reader {
    database: Database,
    conn: PgConnection,
}

impl Reader {
    fn new() -> Self {
        let database = after_quickstart();
        let mut conn = database.connect();
        for role in ["club", "loader", "janitor", "legal", "privacy"] {
            run(
                &mut conn,
                &format!("CREATE ROLE {}_{role}", database.name()),
            );
        }
        // The program deletes the first member.
        run(&mut conn, JOIN);
        run(&mut conn, "SELECT threadline.post()");
        Self { database, conn }
    }

    /// Roles belong to the whole server, so each test has its own.
    fn with_own_roles(&self, text: &str) -> String {
        let own = |word: &str| match ROLES.contains(&word) {
            true => format!("{}_{word}", self.database.name()),
            false => word.to_owned(),
        };
        let lines = text.lines().map(|line| {
            let words: Vec<String> = line.split(' ').map(own).collect();
            words.join(" ")
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Files in a folder of their own, and instants in the past.
    fn arguments(&mut self, command: &str) -> Vec<String> {
        let dir = scratch_dir();
        let mut arguments = words(command);
        arguments.remove(0);
        if arguments[0] == "erase" {
            // Where the reader answers the prompt.
            arguments.push("--yes".to_owned());
        }
        let mut at = false;
        for word in &mut arguments {
            if std::mem::replace(&mut at, word == "--at") {
                let now = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";
                *word = value(&mut self.conn, now).unwrap();
            } else if word.ends_with("csv") && word.contains('.') || word.ends_with(".ndjson") {
                *word = dir.join(&*word).display().to_string();
            }
        }
        arguments
    }

    fn follow(&mut self, guide: &str) -> usize {
        let mut run = 0;
        for step in steps(guide) {
            match step {
                Step::Command(command, _) if NAMED.contains(&command.as_str()) => continue,
                Step::Sql(sql, _) if ELSEWHERE.iter().any(|start| sql.starts_with(start)) => {
                    continue;
                }
                Step::Command(command, shown) => {
                    let own = self.with_own_roles(&command);
                    let arguments = self.arguments(&own);
                    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                    let (success, printed, error) = audit(&self.database, &arguments);
                    assert!(success, "{command}\n{printed}{error}");
                    if let Some(shown) = shown {
                        assert_eq!(printed.trim_end(), self.with_own_roles(&shown), "{command}");
                    }
                }
                Step::Sql(sql, None) => self
                    .conn
                    .batch_execute(&sql)
                    .unwrap_or_else(|error| panic!("{sql}\n{error}")),
                Step::Sql(sql, Some(shown)) => {
                    let found = rows(&mut self.conn, sql.trim_end_matches(';')).join("\n");
                    assert_eq!(squeezed(&found), squeezed(&shown), "{sql}");
                }
            }
            run += 1;
        }
        run
    }
}

#[test]
fn commands_of_the_guide_on_production_run() {
    let ran = Reader::new().follow(PRODUCTION);
    assert!(ran >= 18, "{ran}: the guide is not read any more");
}

#[test]
fn commands_of_the_guide_for_auditors_run() {
    let mut reader = Reader::new();
    let ran = reader.follow(AUDITOR);
    assert!(ran >= 35, "{ran}: the guide is not read any more");
    assert_value(
        &mut reader.conn,
        "SELECT floor::text FROM threadline.retention",
        "6 years",
    );
}

#[test]
fn the_statement_for_pg_cron_posts() {
    let reader = &mut Reader::new();
    let scheduled = PRODUCTION
        .lines()
        .find(|line| line.contains("cron.schedule"))
        .and_then(|line| line.split('\'').nth(5))
        .unwrap();
    run(&mut reader.conn, "DELETE FROM members");
    assert_rows(&mut reader.conn, scheduled, ["1"]);
}

#[test]
fn a_write_that_cannot_be_recorded_fails() {
    let reader = &mut Reader::new();
    // Like a full disk, it cannot be appended to.
    run(
        &mut reader.conn,
        "ALTER TABLE threadline.journal ADD CONSTRAINT full_disk CHECK (false) NOT VALID",
    );
    let error = reader
        .conn
        .batch_execute("DELETE FROM members")
        .unwrap_err();
    assert!(error.to_string().contains("full_disk"), "{error}");
}
