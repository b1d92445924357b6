//! Formats figures for people.

use crate::capture::added::added;
use crate::capture::added::{added_with_posting, quotients, ratio};
use crate::capture::names::{posting as posting_of, wal};
use crate::capture::variant::Variant;
use crate::samples::{Samples, Spread};

/// The variants whose added cost is shown next to ours.
const OTHERS: [Variant; 4] = [
    Variant::Limit,
    Variant::Textbook,
    Variant::Typed,
    Variant::TypedStmt,
];

pub(super) fn heading(title: &str) {
    print!("\n{title:64}");
    for variant in Variant::ALL {
        print!("{:>14}", variant.name());
    }
    println!("   added by ours, over that by");
    print!("{:64}{:84}", "", "");
    for variant in OTHERS {
        print!("{:>14}", variant.name());
    }
    println!();
}

/// Prints the medians of a workload, with their spread below.
pub(super) fn row(samples: &Samples, workload: &str, unit: &str) {
    let spreads = Variant::ALL.map(|variant| samples.spread(workload, variant.name()));
    let ratios = OTHERS.map(|over| ratio(samples, workload, Variant::Ours, over));
    print!("{:64}", format!("{workload}, {unit}"));
    for spread in &spreads {
        print!("{:>14}", cell(spread, |s| number(s.median)));
    }
    for ratio in &ratios {
        print!("{:>14}", cell(ratio, |s| format!("{:.2}", s.median)));
    }
    print!("\n{:64}", "");
    for spread in &spreads {
        let range = cell(spread, |s| format!("{}..{}", number(s.min), number(s.max)));
        print!("{range:>14}");
    }
    for ratio in &ratios {
        let range = cell(ratio, |s| format!("{:.2}..{:.2}", s.min, s.max));
        print!("{range:>14}");
    }
    println!();
}

/// Prints the cost of posting the workloads, and of capture and posting together.
pub(super) fn posting<'a>(samples: &Samples, workloads: impl IntoIterator<Item = &'a str>) {
    println!("posting");
    for workload in workloads {
        let name = posting_of(workload);
        let median = |name: &str| samples.spread(name, Variant::Ours.name());
        let together = Spread::of(&quotients(
            &added_with_posting(samples, workload),
            &added(samples, workload, Variant::Limit),
        ));
        println!(
            "{name:64}{:>14} us{:>14} bytes of WAL;   capture and posting over the limit{:>8}",
            cell(&median(&name), |s| number(s.median)),
            cell(&median(&wal(&name)), |s| number(s.median)),
            cell(&together, |s| format!("{:.2}", s.median)),
        );
    }
}

fn cell(spread: &Option<Spread>, show: impl Fn(&Spread) -> String) -> String {
    spread.as_ref().map_or_else(|| "-".to_owned(), show)
}

fn number(value: f64) -> String {
    match value.abs() {
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
