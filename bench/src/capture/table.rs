//! Figures as people read them.

use crate::capture::added::ratio;
use crate::capture::variant::Variant;
use crate::samples::{Samples, Spread};

pub(super) fn heading(title: &str) {
    print!("\n{title:62}");
    for variant in Variant::ALL {
        print!("{:>14}", variant.name());
    }
    println!("   ours, added over that of the limit, the textbook trigger");
}

/// The medians of a workload, and their spread below.
pub(super) fn row(samples: &Samples, workload: &str, unit: &str) {
    print!("{:62}", format!("{workload}, {unit}"));
    let spreads = Variant::ALL.map(|variant| samples.spread(workload, variant.name()));
    for spread in &spreads {
        print!("{:>14}", cell(spread, |s| number(s.median)));
    }
    for over in [Variant::Limit, Variant::Textbook] {
        let ratio = ratio(samples, workload, Variant::Ours, over);
        print!(
            "{:>20}",
            cell(&ratio, |s| format!(
                "{:.2} ({:.2}..{:.2})",
                s.median, s.min, s.max
            ))
        );
    }
    print!("\n{:62}", "");
    for spread in &spreads {
        let range = cell(spread, |s| format!("{}..{}", number(s.min), number(s.max)));
        print!("{range:>14}");
    }
    println!();
}

fn cell(spread: &Option<Spread>, show: impl Fn(&Spread) -> String) -> String {
    spread.as_ref().map_or_else(|| "-".to_owned(), show)
}

fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}
