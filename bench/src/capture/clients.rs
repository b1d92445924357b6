//! Several clients at once, each updating rows of its own. How many
//! transactions they get through is a matter of the machine; no goal hangs on it.

use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};

use crate::capture::bench::Bench;
use crate::capture::single::{Writes, prepare};
use crate::capture::variant::Variant;

const CLIENTS: [usize; 3] = [1, 2, 8];
const ROWS_EACH: usize = 1000;

pub(super) fn run(bench: &mut Bench<'_>) {
    let (repetitions, span) = if bench.quick {
        (3, Duration::from_millis(700))
    } else {
        (5, Duration::from_secs(3))
    };
    let most = CLIENTS.into_iter().max().unwrap_or_default();
    bench.empty_tables("8");
    for variant in Variant::ALL {
        bench.execute(&format!(
            "INSERT INTO bench.{}_8 SELECT * FROM bench.source_8 WHERE id <= {}",
            variant.name(),
            most * ROWS_EACH
        ));
    }
    println!(
        "\nupdates of one row by several clients, transactions a second, and the share of unaudited"
    );
    for clients in CLIENTS {
        let name = format!("updates of one row, {clients} clients");
        for repetition in 0..repetitions {
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
        print!("{name:36}");
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

fn rate(url: &str, clients: usize, variant: Variant, span: Duration) -> f64 {
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
    let mut conn = PgConnection::establish(url).expect("the server takes connections");
    prepare(&mut conn);
    let writes = Writes { variant, width: 8 };
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
