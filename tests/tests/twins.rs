//! Two databases with the same random tables, of which one is audited, are told
//! the same random statements. Whatever these are: both answer alike and end up
//! with the same rows; what was recorded is what happened, no more and no less;
//! and no secret is among it.

#[path = "twins/alter.rs"]
mod alter;
#[path = "twins/check.rs"]
mod check;
#[path = "timeline/dice.rs"]
mod dice;
#[path = "twins/names.rs"]
mod names;
#[path = "twins/observer.rs"]
mod observer;
#[path = "twins/pair.rs"]
mod pair;
#[path = "twins/policy.rs"]
mod policy;
#[path = "twins/run.rs"]
mod run;
#[path = "twins/schema.rs"]
mod schema;
#[path = "twins/session.rs"]
mod session;
#[path = "twins/statements.rs"]
mod statements;
#[path = "twins/table.rs"]
mod table;
#[path = "twins/triggers.rs"]
mod triggers;
#[path = "twins/values.rs"]
mod values;

/// How many runs there are, each with another seed. THREADLINE_SEEDS asks for
/// more, or for one: `100`, or `57..58`.
const SEEDS: std::ops::Range<u64> = 1..11;
const STATEMENTS: usize = 100;

fn seeds() -> std::ops::Range<u64> {
    let Ok(asked) = std::env::var("THREADLINE_SEEDS") else {
        return SEEDS;
    };
    let number = |text: &str| {
        text.parse()
            .unwrap_or_else(|e| panic!("THREADLINE_SEEDS={asked}: {e}"))
    };
    match asked.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => 1..1 + number(&asked),
    }
}

#[test]
fn an_audited_database_does_what_its_twin_does_and_records_just_that() {
    let mut failures = vec![];
    for seed in seeds() {
        if let Err(failure) = run::run(seed, STATEMENTS) {
            failures.push(failure);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
