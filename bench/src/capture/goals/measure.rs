use crate::capture::added::{added, added_with_posting, quotients};
use crate::capture::names::{posting, stored, wal};
use crate::capture::variant::Variant;
use crate::goals::Bound;
use crate::numbers::thousands;
use crate::samples::{Samples, Spread, median};

const OURS: &str = Variant::Ours.name();

/// The figure of a workload that a goal limits. Medians, unless it says otherwise.
pub(super) enum Measure {
    /// Added cost, relative to that of another variant.
    AddedOver(Variant),
    /// Added cost including posting, relative to the added cost of another variant.
    TogetherOver(Variant),
    /// Microseconds added.
    Added,
    /// Microseconds added beyond those that the plain statement of this name adds.
    AddedBeyond(&'static str),
    /// MB added.
    MegabytesAdded,
    /// The whole cost, relative to that of another variant.
    Over(Variant),
    /// The whole cost, relative to that of another workload, and their difference in
    /// words.
    OverWorkload(String, &'static str),
    /// Added WAL including posting, relative to a number of bytes.
    WalOver(f64),
    /// The stored bytes, relative to those of another variant.
    StoredOver(Variant),
    /// The median figure, in its unit.
    Median(&'static str),
    /// The largest figure, in its unit.
    Largest(&'static str),
}

impl Measure {
    /// None if it was not measured.
    pub(super) fn of(&self, samples: &Samples, workload: &str) -> Option<f64> {
        let values = |name: &str, variant: Variant| samples.values(name, variant.name()).to_vec();
        let ours = values(workload, Variant::Ours);
        let measured = match self {
            Self::AddedOver(over) => quotients(
                &added(samples, workload, Variant::Ours),
                &added(samples, workload, *over),
            ),
            Self::TogetherOver(over) => quotients(
                &added_with_posting(samples, workload),
                &added(samples, workload, *over),
            ),
            Self::Added | Self::MegabytesAdded => added(samples, workload, Variant::Ours),
            Self::AddedBeyond(other) => {
                let others = added(samples, other, Variant::Ours);
                let pairs = added(samples, workload, Variant::Ours);
                pairs.iter().zip(others).map(|(a, b)| a - b).collect()
            }
            Self::Over(over) => quotients(&ours, &values(workload, *over)),
            Self::OverWorkload(other, _) => quotients(&ours, &values(other, Variant::Ours)),
            Self::WalOver(bytes) => {
                let captured = added(samples, &wal(workload), Variant::Ours);
                let posted = samples.values(&wal(&posting(workload)), OURS);
                let both = captured.iter().zip(posted);
                both.map(|(c, p)| (c + p) / bytes).collect()
            }
            Self::StoredOver(over) => quotients(
                &values(&stored(workload), Variant::Ours),
                &values(&stored(workload), *over),
            ),
            Self::Median(_) => ours,
            Self::Largest(_) => return Spread::of(&ours).map(|spread| spread.max),
        };
        median(&measured)
    }

    pub(super) fn describe(&self, bound: Bound) -> String {
        let what = match self {
            Self::AddedOver(over) => format!("times the cost added by {}", long_name(*over)),
            Self::TogetherOver(over) => {
                format!(
                    "times the cost added by {}, posting included",
                    long_name(*over)
                )
            }
            Self::Added => "µs added".to_owned(),
            Self::AddedBeyond(other) => format!("µs more added than by the {other}"),
            Self::MegabytesAdded => "MB added".to_owned(),
            Self::Over(over) => format!("times the cost of {}", long_name(*over)),
            Self::OverWorkload(_, difference) => format!("times the cost {difference}"),
            Self::WalOver(bytes) => format!(
                "times {} bytes of WAL added, posting included",
                thousands(*bytes as usize)
            ),
            Self::StoredOver(over) => format!("times the bytes stored by {}", long_name(*over)),
            Self::Median(unit) | Self::Largest(unit) => (*unit).to_owned(),
        };
        format!("{bound} {what}")
    }
}

fn long_name(variant: Variant) -> &'static str {
    match variant {
        Variant::Unaudited => "the unaudited write",
        Variant::Limit => "the limit",
        Variant::Ours => "ours",
        Variant::Textbook => "the textbook trigger",
        Variant::Typed => "the typed tables",
        Variant::TypedStmt => "the typed tables by statement",
    }
}
