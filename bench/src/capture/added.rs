//! The cost that a variant adds to unaudited writes.

use crate::capture::names::posting;
use crate::capture::variant::Variant;
use crate::samples::{Samples, Spread};

/// Subtracts the unaudited figure of the same repetition from each, so that a slow minute
/// of the machine affects both.
pub(super) fn added(samples: &Samples, workload: &str, variant: Variant) -> Vec<f64> {
    let with = samples.values(workload, variant.name());
    let without = samples.values(workload, Variant::Unaudited.name());
    with.iter().zip(without).map(|(w, u)| w - u).collect()
}

/// Returns the cost that ours adds, including its posting.
pub(super) fn added_with_posting(samples: &Samples, workload: &str) -> Vec<f64> {
    let posted = samples.values(&posting(workload), Variant::Ours.name());
    let added = added(samples, workload, Variant::Ours);
    added.iter().zip(posted).map(|(a, p)| a + p).collect()
}

/// Returns the difference between the costs that two variants add.
pub(super) fn ratio(
    samples: &Samples,
    workload: &str,
    variant: Variant,
    over: Variant,
) -> Option<Spread> {
    Spread::of(&quotients(
        &added(samples, workload, variant),
        &added(samples, workload, over),
    ))
}

/// For each repetition.
pub(super) fn quotients(of: &[f64], over: &[f64]) -> Vec<f64> {
    of.iter().zip(over).map(|(a, b)| a / b).collect()
}
