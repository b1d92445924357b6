use super::Target;
use super::measure::Measure::{self, *};
use crate::capture::bulk::{MANY, OPERATIONS, SOME};
use crate::capture::history::{self, Pair};
use crate::capture::names::posting;
use crate::capture::single::Names;
use crate::capture::variant::Variant::{Limit, Textbook, Typed, TypedStmt, Unaudited};
use crate::capture::{altered, policies, posting as rates, sessions, statements, votes};
use crate::goals::Bound;

/// WAL of a write before there was a journal, in bytes: insert and update of one row.
const FORMER_WAL: [f64; 2] = [1338.0, 1107.0];

/// Every goal of capture and posting.
pub(super) fn targets(quick: bool) -> Vec<Target> {
    [
        one_row(),
        many_rows(),
        statements_of_one_row(),
        application(),
        sessions(),
        posted(),
        full_ledger(quick),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn at_most(limit: f64, workload: impl Into<String>, measure: Measure) -> Target {
    Target {
        workload: workload.into(),
        measure,
        bound: Bound::AtMost(limit),
    }
}

fn at_least(limit: f64, workload: impl Into<String>, measure: Measure) -> Target {
    Target {
        workload: workload.into(),
        measure,
        bound: Bound::AtLeast(limit),
    }
}

fn one_row() -> Vec<Target> {
    let (narrow, wide) = (Names::new(8, ""), Names::new(40, ""));
    vec![
        at_most(0.6, &narrow.insert, AddedOver(Limit)),
        at_most(0.9, &narrow.update, AddedOver(Limit)),
        at_most(0.6, &narrow.delete, AddedOver(Limit)),
        at_most(0.6, &narrow.insert, AddedOver(Typed)),
        at_most(0.6, &narrow.update, AddedOver(Typed)),
        at_most(0.6, &narrow.delete, AddedOver(Typed)),
        at_most(0.7, &wide.insert, AddedOver(Limit)),
        at_most(1.2, &wide.update, AddedOver(Limit)),
        at_most(0.6, &wide.delete, AddedOver(Limit)),
        at_most(0.9, &narrow.further, AddedOver(Limit)),
        at_most(1.3, &wide.further, AddedOver(Limit)),
    ]
}

fn many_rows() -> Vec<Target> {
    let mut targets = vec![];
    for rows in [SOME, MANY] {
        for (operation, of_the_limit) in OPERATIONS.into_iter().zip([0.6, 0.7, 0.6]) {
            let workload = operation.workload(rows, 8, "");
            targets.push(at_most(of_the_limit, &workload, AddedOver(Limit)));
            targets.push(at_most(0.8, &workload, AddedOver(TypedStmt)));
        }
    }
    for operation in OPERATIONS {
        let workload = operation.workload(MANY, 8, "");
        targets.push(at_most(0.6, &workload, StoredOver(Textbook)));
    }
    targets
}

fn statements_of_one_row() -> Vec<Target> {
    let of_no_row = statements::OF_NO_ROW.map(|workload| at_most(10.0, workload, Added));
    let upserts =
        statements::UPSERTS.map(|[workload, part]| at_most(10.0, workload, AddedBeyond(part)));
    of_no_row.into_iter().chain(upserts).collect()
}

fn application() -> Vec<Target> {
    let votes = votes::workloads().map(|workload| at_most(2.5, workload, Over(Unaudited)));
    let altered = altered::workloads().map(|[before, after]| {
        at_most(
            1.3,
            after,
            OverWorkload(before, "before the column was added"),
        )
    });
    votes.into_iter().chain(altered).collect()
}

fn sessions() -> Vec<Target> {
    vec![
        at_most(1.5, sessions::FIRST_WRITE, Over(Textbook)),
        at_most(0.15, sessions::MEMORY, MegabytesAdded),
        at_most(30.0, policies::workload(8), Median("ms")),
        at_most(60.0, policies::workload(40), Median("ms")),
    ]
}

fn posted() -> Vec<Target> {
    let one = Names::new(8, "");
    let mut targets = vec![];
    for workload in [&one.insert, &one.update, &one.delete] {
        targets.push(at_most(1.3, workload, TogetherOver(Limit)));
    }
    for rows in [SOME, MANY] {
        for operation in OPERATIONS {
            let workload = operation.workload(rows, 8, "");
            targets.push(at_most(1.8, workload, TogetherOver(Limit)));
        }
    }
    for (workload, bytes) in [&one.insert, &one.update].into_iter().zip(FORMER_WAL) {
        targets.push(at_most(1.4, workload, WalOver(bytes)));
    }
    for workload in rates::rates() {
        targets.push(at_least(40_000.0, workload, Median("changes a second")));
    }
    targets.push(at_most(2.0, rates::LAG, Largest("s")));
    targets
}

const WITH_NONE: &str = "with none";

fn full_ledger(quick: bool) -> Vec<Target> {
    let mut targets = vec![];
    for Pair { empty, full } in history::pairs(quick) {
        let posted = OverWorkload(posting(&empty), WITH_NONE);
        targets.push(at_most(1.1, posting(&full), posted));
        targets.push(at_most(1.02, full, OverWorkload(empty, WITH_NONE)));
    }
    targets
}
