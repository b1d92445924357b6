//! What reading the audit costs, with years of it on record.

mod exports;
mod reads;

use std::process::ExitCode;

use diesel::{Connection, PgConnection};

fn main() -> ExitCode {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let url = std::env::var("DATABASE_URL").expect("`cargo xtask bench` gives a DATABASE_URL");
    let mut conn = PgConnection::establish(&url).expect("the server takes connections");
    if !std::env::args().any(|a| a == "--exports") {
        reads::run(&mut conn, if quick { 20 } else { 1 });
    }
    exports::run(&mut conn, &url);
    ExitCode::SUCCESS
}
