//! What is to be reached, of what capture and posting cost.

mod list;
mod measure;

use crate::goals::{Bound, Goals};
use crate::samples::Samples;

use measure::Measure;

/// A goal before it is known what was reached.
struct Target {
    workload: String,
    measure: Measure,
    bound: Bound,
}

/// Adds the goals of what was measured.
pub(super) fn check(samples: &Samples, quick: bool, goals: &mut Goals) {
    for target in list::targets(quick) {
        if let Some(measured) = target.measure.of(samples, &target.workload) {
            let goal = target.measure.describe(target.bound);
            goals.add(&target.workload, &goal, target.bound, measured);
        }
    }
}
