//! What threadline costs, measured: `cargo xtask bench`.

mod exports;
mod goals;
mod reads;
mod sql;

use std::process::ExitCode;

use diesel::{Connection, PgConnection};

use crate::goals::Goals;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let json = arguments
        .iter()
        .position(|argument| argument == "--json")
        .map(|position| arguments.get(position + 1).expect("--json takes a file"));
    let url = std::env::var("DATABASE_URL").expect("`cargo xtask bench` gives a DATABASE_URL");
    let mut conn = PgConnection::establish(&url).expect("the server takes connections");

    let mut goals = Goals::default();
    reads::load(&mut conn, if quick { 20 } else { 1 });
    reads::run(&mut conn, &mut goals);
    exports::run(
        &mut conn,
        &url,
        if quick { 100_000 } else { 1_000_000 },
        &mut goals,
    );

    goals.print();
    if let Some(file) = json {
        std::fs::write(file, goals.json()).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    ExitCode::SUCCESS
}
