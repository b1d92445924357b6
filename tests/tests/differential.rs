//! Runs the same random statements on two databases with the same random tables, one of
//! which is audited. Both must give the same results and end up with the same rows; the
//! audit must record exactly the changes; and it must not contain a secret.

#[path = "differential/alter.rs"]
mod alter;
#[path = "differential/check.rs"]
mod check;
#[path = "differential/names.rs"]
mod names;
#[path = "differential/observer.rs"]
mod observer;
#[path = "differential/pair.rs"]
mod pair;
#[path = "differential/policy.rs"]
mod policy;
#[path = "differential/run.rs"]
mod run;
#[path = "differential/schema.rs"]
mod schema;
#[path = "differential/session.rs"]
mod session;
#[path = "differential/statements.rs"]
mod statements;
#[path = "differential/table.rs"]
mod table;
#[path = "differential/triggers.rs"]
mod triggers;
#[path = "differential/values.rs"]
mod values;

/// The runs, each with another seed.
const SEEDS: std::ops::Range<u64> = 1..11;
const STATEMENTS: usize = 100;

#[test]
fn an_audited_database_behaves_as_a_plain_one_and_records_each_change() {
    let mut failures = vec![];
    for seed in threadline_tests::seeds(SEEDS) {
        if let Err(failure) = run::run(seed, STATEMENTS) {
            failures.push(failure);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
