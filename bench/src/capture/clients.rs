//! Several clients at once, each updating rows of its own. The throughput depends on the
//! machine; no goal depends on it.

use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;

use crate::capture::bench::Bench;
use crate::capture::connection::connect;
use crate::capture::prepare;
use crate::capture::single::Writes;
use crate::capture::variant::Variant;

const CLIENTS: [usize; 3] = [1, 2, 8];
const WIDTH: u32 = 8;
const ROWS_EACH: usize = 1000;

pub(super) fn run(bench: &mut Bench<'_>) {
    let span = bench.pick(Duration::from_millis(500), Duration::from_secs(3));
    bench.empty_tables("8");
    for variant in Variant::ALL {
        fill(bench, variant, 8);
    }
    println!(
        "\nupdates of one row by several clients, transactions a second, and the share of unaudited"
    );
    for clients in CLIENTS {
        let name = format!("updates of one row, {clients} clients");
        for repetition in 0..bench.pick(3, 5) {
            for variant in Bench::turns(&Variant::ALL, repetition) {
                bench.empty_audit_tables();
                bench.vacuum(variant, "8");
                let rate = rate(bench.url, clients, variant, span);
                bench
                    .samples
                    .add(&name, variant.name(), "transactions a second", rate);
            }
        }
        let median = |variant: Variant| {
            let spread = bench.samples.spread(&name, variant.name());
            spread.map_or(f64::NAN, |spread| spread.median)
        };
        print!("{name:32}");
        for variant in Variant::ALL {
            let rate = median(variant);
            print!(
                "{:>12} {rate:>6.0} {:.2}",
                variant.name(),
                rate / median(Variant::Unaudited)
            );
        }
        println!();
    }
    bench.empty_tables("8");
}

/// Gives each client rows of its own.
pub(super) fn fill(bench: &mut Bench<'_>, variant: Variant, clients: usize) {
    bench.fill(variant, WIDTH, clients * ROWS_EACH);
}

/// Returns the transactions a second of all clients together.
pub(super) fn rate(url: &str, clients: usize, variant: Variant, span: Duration) -> f64 {
    let workers: Vec<_> = (0..clients)
        .map(|client| {
            let url = url.to_owned();
            thread::spawn(move || client_rate(&url, client * ROWS_EACH, variant, span))
        })
        .collect();
    workers
        .into_iter()
        .map(|worker| worker.join().expect("a client"))
        .sum()
}

fn client_rate(url: &str, first: usize, variant: Variant, span: Duration) -> f64 {
    let mut conn = connect(url);
    prepare::writes(&mut conn, &[variant], &[WIDTH]);
    let writes = Writes {
        variant,
        width: WIDTH,
    };
    let start = Instant::now();
    let mut done = 0;
    while start.elapsed() < span {
        let message = writes.updates(&[(first + 1 + done % ROWS_EACH, done)]);
        conn.batch_execute(&message)
            .unwrap_or_else(|error| panic!("{message}: {error}"));
        done += 1;
    }
    done as f64 / start.elapsed().as_secs_f64()
}
