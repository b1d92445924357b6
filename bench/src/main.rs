//! Measures what threadline costs: `cargo xtask bench`.

mod capture;
mod checks;
mod exports;
mod goals;
mod memory;
mod numbers;
mod options;
mod pages;
mod past;
mod reads;
mod retention;
mod samples;
mod sql;

use std::process::ExitCode;

use diesel::{Connection, PgConnection};
use serde::Serialize;

use crate::goals::Goals;
use crate::options::Options;
use crate::samples::Samples;

#[derive(Debug, Default, Serialize)]
struct Report {
    #[serde(flatten)]
    samples: Samples,
    #[serde(flatten)]
    goals: Goals,
}

fn main() -> ExitCode {
    let workloads: Vec<&str> = capture::workloads().collect();
    let options = Options::of_the_command_line(&workloads);
    let quick = options.quick;

    let url = std::env::var("DATABASE_URL").expect("`cargo xtask bench` gives a DATABASE_URL");
    let mut conn = PgConnection::establish(&url).expect("the server takes connections");

    let mut report = Report::default();
    let Report { samples, goals } = &mut report;
    let workload = options.workload();
    if options.wants("capture") || workload.is_some() {
        capture::run(&mut conn, &url, quick, workload, samples, goals);
        capture::remove(&mut conn);
    }
    if options.wants("reads") || options.wants("exports") {
        reads::load(&mut conn, if quick { 20 } else { 1 });
    }
    if options.wants("reads") {
        reads::run(&mut conn, goals);
        past::load(&mut conn, if quick { 20 } else { 1 });
        past::run(&mut conn, goals);
    }
    if options.wants("exports") {
        let rows = if quick { 100_000 } else { 1_000_000 };
        exports::run(&mut conn, &url, rows, goals);
    }
    if options.wants("pages") {
        pages::run(&url, quick, goals);
    }
    if options.wants("checks") {
        checks::structure(&mut conn, goals);
    }
    if options.wants("retention") {
        retention::run(quick, goals);
    }

    report.goals.print();
    if let Some(file) = &options.json {
        let figures = serde_json::to_string_pretty(&report).expect("figures become JSON");
        write(file, &(figures + "\n"));
    }
    if let Some(file) = &options.markdown {
        write(file, &report.goals.to_markdown());
    }
    ExitCode::SUCCESS
}

fn write(file: &str, content: &str) {
    std::fs::write(file, content).unwrap_or_else(|error| panic!("{file}: {error}"));
}
