//! What threadline costs, measured: `cargo xtask bench`.

mod capture;
mod exports;
mod goals;
mod reads;
mod samples;
mod sql;

use std::process::ExitCode;

use diesel::{Connection, PgConnection};
use serde::Serialize;

use crate::goals::Goals;
use crate::samples::Samples;

#[derive(Debug, Default, Serialize)]
struct Report {
    #[serde(flatten)]
    samples: Samples,
    #[serde(flatten)]
    goals: Goals,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| {
        let position = arguments.iter().position(|argument| argument == name)?;
        let value = arguments.get(position + 1);
        Some(value.unwrap_or_else(|| panic!("{name} takes a value")))
    };
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let json = option("--json");
    let only = option("--only");
    if let Some(part) = only {
        let known = ["capture", "reads", "exports"];
        assert!(
            known.contains(&part.as_str()),
            "--only takes one of {known:?}"
        );
    }
    let wanted = |part: &str| only.is_none_or(|only| only == part);

    let url = std::env::var("DATABASE_URL").expect("`cargo xtask bench` gives a DATABASE_URL");
    let mut conn = PgConnection::establish(&url).expect("the server takes connections");

    let mut report = Report::default();
    let Report { samples, goals } = &mut report;
    if wanted("capture") {
        capture::run(&mut conn, &url, quick, samples, goals);
        capture::remove(&mut conn);
    }
    if wanted("reads") || wanted("exports") {
        reads::load(&mut conn, if quick { 20 } else { 1 });
    }
    if wanted("reads") {
        reads::run(&mut conn, goals);
    }
    if wanted("exports") {
        let rows = if quick { 100_000 } else { 1_000_000 };
        exports::run(&mut conn, &url, rows, goals);
    }

    report.goals.print();
    if let Some(file) = json {
        let figures = serde_json::to_string_pretty(&report).expect("figures become JSON");
        std::fs::write(file, figures + "\n").unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    ExitCode::SUCCESS
}
