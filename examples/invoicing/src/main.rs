//! Simulates a year and investigates an incident in it. On a database that has the year
//! already, only the latter.

use std::env;
use std::error::Error;

use diesel::dsl::exists;
use diesel::prelude::*;
use invoicing::{incident, open, schema::invoices, year};

fn main() -> Result<(), Box<dyn Error>> {
    let url =
        env::var("DATABASE_URL").map_err(|_| "DATABASE_URL is not set; name a new database")?;
    let conn = &mut open(&url)?;
    if !diesel::select(exists(invoices::table.select(invoices::id))).get_result::<bool>(conn)? {
        year::pass(conn)?;
    }
    incident::answer(conn)
}
