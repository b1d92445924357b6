//! The goals for the cost of capture and posting.

mod list;
mod measure;

use crate::goals::{Bound, Goals};
use crate::samples::Samples;

use measure::Measure;

/// A goal before its figure is known.
struct Target {
    workload: String,
    measure: Measure,
    bound: Bound,
}

/// Adds the goals of the measured figures.
pub(super) fn check(samples: &Samples, quick: bool, goals: &mut Goals) {
    for target in list::targets(quick) {
        if let Some(measured) = target.measure.of(samples, &target.workload) {
            let goal = target.measure.describe(target.bound);
            goals.add(&target.workload, &goal, target.bound, measured);
        }
    }
}
