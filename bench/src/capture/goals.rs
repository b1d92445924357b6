//! What is to be reached, of what capture adds to unaudited writes.

use crate::capture::added::{added, ratio};
use crate::capture::bulk::OPERATIONS;
use crate::capture::single;
use crate::capture::variant::Variant;
use crate::goals::Goals;
use crate::samples::{Samples, Spread};

struct Bulk {
    width: u32,
    /// Of the limit's, for insert, update and delete.
    of_the_limit: [f64; 3],
    /// How many times cheaper than the textbook trigger.
    below_textbook: Option<[f64; 3]>,
}

const BULK: [Bulk; 2] = [
    Bulk {
        width: 8,
        of_the_limit: [1.0, 1.3, 0.8],
        below_textbook: Some([4.5, 7.0, 6.0]),
    },
    Bulk {
        width: 40,
        of_the_limit: [0.9, 1.8, 0.8],
        below_textbook: None,
    },
];

/// For 8 and 40 columns, microseconds.
const FURTHER_UPDATE: [(u32, f64); 2] = [(8, 20.0), (40, 32.0)];

pub(super) fn check(samples: &Samples, goals: &mut Goals) {
    let of = |workload: &str, variant, over| {
        ratio(samples, workload, variant, over).map_or(f64::NAN, |spread| spread.median)
    };
    let names = single::Names::new(8, "");
    for (workload, of_the_limit) in [(&names.insert, 1.1), (&names.update, 1.4)] {
        goals.at_most(
            &format!("{workload}, added over the limit's"),
            of_the_limit,
            of(workload, Variant::Ours, Variant::Limit),
        );
        goals.at_most(
            &format!("{workload}, added over the textbook's"),
            0.5,
            of(workload, Variant::Ours, Variant::Textbook),
        );
    }
    for (width, microseconds) in FURTHER_UPDATE {
        let workload = single::Names::new(width, "").further;
        let added = Spread::of(&added(samples, &workload, Variant::Ours));
        goals.at_most(
            &format!("{workload}, us added"),
            microseconds,
            added.map_or(f64::NAN, |spread| spread.median),
        );
    }
    for bulk in BULK {
        for (operation, goal) in OPERATIONS.into_iter().zip(bulk.of_the_limit) {
            let workload = operation.names(bulk.width, "").cpu;
            goals.at_most(
                &format!("{workload}, added over the limit's"),
                goal,
                of(&workload, Variant::Ours, Variant::Limit),
            );
        }
        let below_textbook = bulk.below_textbook.into_iter().flatten();
        for (operation, goal) in OPERATIONS.into_iter().zip(below_textbook) {
            let workload = operation.names(bulk.width, "").cpu;
            goals.at_least(
                &format!("{workload}, textbook's added over ours"),
                goal,
                of(&workload, Variant::Textbook, Variant::Ours),
            );
        }
    }
    let [_, update, _] = OPERATIONS;
    let workload = update.names(8, "").wal;
    goals.at_most(
        &format!("{workload}, added over the textbook's"),
        0.65,
        of(&workload, Variant::Ours, Variant::Textbook),
    );
}
