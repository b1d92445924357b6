//! Measures what threadline costs: `cargo xtask bench`.

mod capture;
mod checks;
mod exports;
mod goals;
mod latency;
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
    // After each part, so that one that fails does not lose the figures of the others.
    let write = |report: &Report| report.write(&options);
    let workload = options.workload();
    if options.wants("capture") || workload.is_some() {
        let Report { samples, goals } = &mut report;
        capture::run(&mut conn, &url, quick, workload, samples, goals);
        capture::remove(&mut conn);
        write(&report);
    }
    if options.wants("reads") || options.wants("exports") {
        reads::load(&mut conn, if quick { 20 } else { 1 });
    }
    if options.wants("reads") {
        reads::run(&mut conn, &mut report.goals);
        past::load(&mut conn, if quick { 20 } else { 1 });
        past::run(&mut conn, &mut report.goals);
        write(&report);
    }
    if options.wants("exports") {
        let rows = if quick { 100_000 } else { 1_000_000 };
        exports::run(&mut conn, &url, rows, &mut report.goals);
        write(&report);
    }
    if options.wants("pages") {
        pages::run(&url, quick, &mut report.goals);
        write(&report);
    }
    if options.wants("checks") {
        checks::structure(&mut conn, &mut report.goals);
        write(&report);
    }
    if options.wants("retention") {
        retention::run(quick, &mut report.goals);
        write(&report);
    }

    report.goals.print();
    ExitCode::SUCCESS
}

impl Report {
    fn write(&self, options: &Options) {
        if let Some(file) = &options.json {
            let figures = serde_json::to_string_pretty(self).expect("figures become JSON");
            write(file, &(figures + "\n"));
        }
        if let Some(file) = &options.markdown {
            write(file, &self.goals.to_markdown());
        }
    }
}

fn write(file: &str, content: &str) {
    std::fs::write(file, content).unwrap_or_else(|error| panic!("{file}: {error}"));
}
