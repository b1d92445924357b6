//! What a variant adds to unaudited writes.

use crate::capture::variant::Variant;
use crate::samples::{Samples, Spread};

/// What each repetition measured beyond the unaudited one of the same
/// repetition, so that a slower minute of the machine slows both.
pub(super) fn added(samples: &Samples, workload: &str, variant: Variant) -> Vec<f64> {
    let with = samples.values(workload, variant.name());
    let without = samples.values(workload, Variant::Unaudited.name());
    with.iter().zip(without).map(|(w, u)| w - u).collect()
}

/// What one adds over what the other adds.
pub(super) fn ratio(
    samples: &Samples,
    workload: &str,
    variant: Variant,
    over: Variant,
) -> Option<Spread> {
    let over = added(samples, workload, over);
    let ratios: Vec<f64> = added(samples, workload, variant)
        .iter()
        .zip(over)
        .map(|(a, b)| a / b)
        .collect();
    Spread::of(&ratios)
}
