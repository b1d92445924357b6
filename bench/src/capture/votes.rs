//! Votes, as in many applications: an upsert, and triggers of the application that update
//! counters in other tables. All four tables are audited.

use std::thread;

use diesel::connection::SimpleConnection;

use crate::capture::bench::Bench;
use crate::capture::connection::connect;
use crate::capture::context::scatter;
use crate::capture::meter::Meter;
use crate::capture::prepare;
use crate::capture::table;
use crate::capture::variant::Variant;

/// Each table with its key.
const TABLES: [(&str, &[&str]); 4] = [
    ("people", &["id"]),
    ("posts", &["id"]),
    ("votes", &["person_id", "post_id"]),
    ("feed", &["id"]),
];
const PEOPLE: usize = 1000;
const POSTS: usize = 500;
const CLIENTS: [usize; 2] = [1, 4];

pub(super) fn run(bench: &mut Bench<'_>) {
    for variant in Variant::BY_TRIGGERS {
        create(bench, variant);
    }
    table::heading("votes");
    for clients in CLIENTS {
        let name = workload(clients);
        for number in 0..bench.pick(5, 11) {
            for variant in Bench::turns(&Variant::BY_TRIGGERS, number) {
                repetition(bench, &name, clients, variant);
            }
        }
        table::row(bench.samples, &name, "us");
        table::posting(bench.samples, [name.as_str()]);
    }
}

pub(super) fn workloads() -> [String; 2] {
    CLIENTS.map(workload)
}

fn workload(clients: usize) -> String {
    match clients {
        1 => "vote, 1 client".to_owned(),
        _ => format!("vote, {clients} clients"),
    }
}

fn create(bench: &mut Bench<'_>, variant: Variant) {
    bench.execute(
        &include_str!("../../sql/capture/votes.sql")
            .replace("{variant}", variant.prefix())
            .replace("{people}", &PEOPLE.to_string())
            .replace("{posts}", &POSTS.to_string()),
    );
    for (table, key) in TABLES {
        bench.execute(&variant.audit(&variant.table(table), key));
    }
}

/// Half of the votes are new, half change an earlier one.
fn repetition(bench: &mut Bench<'_>, name: &str, clients: usize, variant: Variant) {
    let votes = bench.pick(200, 1000) / clients;
    let [people, posts, cast, feed] = TABLES.map(|(table, _)| variant.table(table));
    bench.execute(&format!("TRUNCATE bench.{cast}, bench.{feed}"));
    bench.execute(&format!("VACUUM bench.{people}, bench.{posts}"));
    bench.empty_audit_tables();

    let (url, meter) = (bench.url, bench.meter);
    let microseconds: f64 = thread::scope(|scope| {
        let voters: Vec<_> = (0..clients)
            .map(|client| scope.spawn(move || vote(url, meter, variant, client, votes)))
            .collect();
        voters
            .into_iter()
            .map(|voter| voter.join().expect("a voter"))
            .sum()
    });
    let votes = votes * clients;
    bench
        .samples
        .add(name, variant.name(), "us", microseconds / votes as f64);
    bench.post(name, variant, votes);
}

/// Returns the microseconds that a client's votes take on the server.
fn vote(url: &str, meter: Meter, variant: Variant, client: usize, votes: usize) -> f64 {
    let mut conn = connect(url);
    prepare::of_variant(
        &mut conn,
        variant,
        include_str!("../../sql/capture/prepare_votes.sql"),
    );
    let message = |turn: usize, value: usize| {
        // Voters of their own, so that none waits for another's vote; posts are shared.
        let person = client * votes + turn % (votes / 2).max(1);
        let post = scatter(person as u64) % POSTS as u64 + 1;
        variant.transaction(&format!(
            "EXECUTE vote_{}({person}, {post}, {value});",
            variant.prefix()
        ))
    };
    for turn in 0..10 {
        conn.batch_execute(&message(turn, 0)).expect("a vote");
    }
    let messages = (0..votes).map(|turn| message(turn, 1 + turn));
    let before = meter.clock(&mut conn);
    for message in messages {
        conn.batch_execute(&message).expect("a vote");
    }
    (meter.clock(&mut conn) - before) as f64 / 1000.0
}
