//! The pages of the explorer, over TCP, with access to everything and with a scope.

mod asked;
mod client;
mod cpu;
mod explorer;

use std::env;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use diesel::{Connection, PgConnection};
use threadline_web::Exports;

use self::asked::{Asked, EVERYTHING};
use self::client::Answer;
use self::cpu::Cpu;
use self::explorer::Serving;
use crate::goals::{Bound, Goals};
use crate::memory;
use crate::numbers::thousands;
use crate::reads;
use crate::samples::median;
use crate::sql::number;

/// The number of requests for each page; the median counts.
const RUNS: usize = 15;

/// The time after which a slow page is not asked for again.
const LONG: Duration = Duration::from_secs(3);

/// The clients that ask at the same time, and for how long.
const CLIENTS: usize = 8;
const SPELL: Duration = Duration::from_secs(10);

/// The number of connections of the explorer's pool.
const POOL: u32 = 8;

pub(crate) fn run(url: &str, quick: bool, goals: &mut Goals) {
    // An existing database, such as one with many more changes than a run can load.
    let existing = env::var("THREADLINE_PAGES_DATABASE_URL").ok();
    let url = existing.as_deref().unwrap_or(url);
    let mut conn = PgConnection::establish(url).expect("the server takes connections");
    if existing.is_none() {
        reads::load(&mut conn, if quick { 20 } else { 1 });
    }
    let changes = number(
        &mut conn,
        "SELECT reltuples::bigint FROM pg_class WHERE oid = 'threadline.ledger_changes'::regclass",
    );
    let asked = Asked::of(&mut conn);
    println!(
        "\npages of the explorer over about {} changes; median of {RUNS}, warm",
        thousands(usize::try_from(changes).unwrap_or_default())
    );
    // An export is recorded as an action, which an existing database may not take.
    if existing.is_none() {
        // Streamed, however much it is.
        let exports = Exports::new().stream_up_to(usize::MAX);
        let serving = Serving::new(url, POOL, asked.everything(), exports);
        export(
            &serving,
            if quick { 100_000_000 } else { 1_000_000_000 },
            goals,
        );
    }
    for (who, access) in asked.accesses() {
        let serving = Serving::new(url, POOL, access, Exports::new());
        let cpu = Cpu::of(&mut conn);
        let mut largest = pages(&serving, &cpu, who, &asked, goals);
        // A report is recorded as an action, too.
        if existing.is_none() && who == EVERYTHING {
            let report = serving.post("/report", "q=");
            let size = report.size as f64 / 1000.0;
            println!(
                "{:46} {:>8} {:>30} {size:>8.1}",
                "incident report", report.status, ""
            );
            largest = largest.max(size);
        }
        goals.add(
            &format!("largest page, {who}"),
            "at most 150 kB",
            Bound::AtMost(150.0),
            largest,
        );
        throughput(&serving, who, &asked, goals);
    }
}

/// Measures each page, and returns the size of the largest in kB.
fn pages(serving: &Serving, cpu: &Cpu, who: &str, asked: &Asked, goals: &mut Goals) -> f64 {
    println!("\n{who}");
    println!(
        "{:46} {:>8} {:>10} {:>10} {:>8}",
        "page", "status", "first byte", "CPU", "kB"
    );
    let (mut slowest, mut home, mut largest, mut elsewhere) = (0.0_f64, 0.0, 0.0_f64, 0);
    for (name, path) in asked.pages() {
        serving.get(path);
        let (start, used) = (Instant::now(), cpu.milliseconds());
        let mut answers: Vec<Answer> = vec![serving.get(path)];
        while answers.len() < RUNS && start.elapsed() < LONG {
            answers.push(serving.get(path));
        }
        let Some(last) = answers.last() else { continue };
        let times: Vec<f64> = answers.iter().map(|a| a.first_byte).collect();
        let median = median(&times).expect("an answer");
        let size = last.size as f64 / 1000.0;
        let spent = cpu.milliseconds().zip(used);
        let spent = spent.map_or("?".to_owned(), |(after, before)| {
            format!("{:.1} ms", (after - before) / answers.len() as f64)
        });
        println!(
            "{name:46} {:>8} {median:>7.1} ms {spent:>10} {size:>8.1}",
            last.status
        );
        if *name == "home" {
            home = median;
        } else {
            slowest = slowest.max(median);
        }
        largest = largest.max(size);
        elsewhere += last.links_elsewhere();
    }
    goals.add(
        &format!("slowest page, {who}"),
        "at most 50 ms to the first byte",
        Bound::AtMost(50.0),
        slowest,
    );
    goals.add(
        &format!("home page, {who}"),
        "at most 100 ms to the first byte",
        Bound::AtMost(100.0),
        home,
    );
    goals.add(
        &format!("pages, {who}"),
        "at most 0 references to another host",
        Bound::AtMost(0.0),
        elsewhere as f64,
    );
    largest
}

/// Measures requests a second: each client asks all pages, beginning with another one.
fn throughput(serving: &Serving, who: &str, asked: &Asked, goals: &mut Goals) {
    let pages = asked.pages();
    let over = AtomicBool::new(false);
    let start = Instant::now();
    let served: usize = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let over = &over;
                scope.spawn(move || {
                    let mut served = 0;
                    while !over.load(Ordering::Relaxed) {
                        let (_, path) =
                            &pages[(client * pages.len() / CLIENTS + served) % pages.len()];
                        serving.get(path);
                        served += 1;
                    }
                    served
                })
            })
            .collect();
        thread::sleep(SPELL);
        over.store(true, Ordering::Relaxed);
        clients
            .into_iter()
            .map(|client| client.join().expect("a client ends"))
            .sum()
    });
    let rate = served as f64 / start.elapsed().as_secs_f64();
    println!("{rate:.0} requests a second by {CLIENTS} clients, {who}");
    goals.add(
        &format!("all pages by {CLIENTS} clients, {who}"),
        "at least 200 requests a second",
        Bound::AtLeast(200.0),
        rate,
    );
}

/// Exports until so many bytes were sent, and measures the growth of memory.
fn export(serving: &Serving, bytes: usize, goals: &mut Goals) {
    let form = "q=&format=ndjson";
    serving.post("/export", form);
    memory::forget_peak();
    let before = memory::peak();
    let (mut sent, mut exports) = (0, 0);
    let start = Instant::now();
    while sent < bytes {
        let answer = serving.post("/export", form);
        assert_eq!(answer.status, 200, "the export is refused");
        sent += answer.size;
        exports += 1;
    }
    let growth = (memory::peak() - before) as f64 / 1024.0;
    println!(
        "{} MB in {exports} exports, {:.0} MB a second; memory grew by {growth:.1} MB",
        thousands(sent / 1_000_000),
        sent as f64 / 1e6 / start.elapsed().as_secs_f64(),
    );
    goals.add(
        "exports from the explorer",
        "at most 8 MB more memory",
        Bound::AtMost(8.0),
        growth,
    );
}
