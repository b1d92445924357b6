use std::fmt::Debug;

use super::expectation::{Expectation, Order};
use super::expected::Expected;
use super::got::{Got, Match};
use super::{Difference, Recorded};

/// An expectation and what was recorded, side by side.
#[derive(Debug)]
pub(super) enum Row<'a> {
    Same(&'a Expected, Got<'a>),
    Differs(&'a Expected, Got<'a>, Vec<String>),
    Missing(&'a Expected),
    Extra(Got<'a>),
}

/// The cost of an expectation or a record without a partner. A partner of the same record
/// costs as much; a partner of another record costs more, but less than two without
/// partners.
const ALONE: u32 = 2;

pub(super) fn compare<T: Debug>(
    recorded: &Recorded<T>,
    expectation: &Expectation,
) -> Result<(), Difference> {
    let rows = rows(recorded, expectation);
    if rows.iter().all(|row| matches!(row, Row::Same(..))) {
        return Ok(());
    }
    let same_in_any_order = || {
        let order = Order::Any;
        let expected = expectation.expected.clone();
        let any = Expectation { expected, order };
        let rows = self::rows(recorded, &any);
        rows.iter().all(|row| matches!(row, Row::Same(..)))
    };
    let hint = (expectation.order == Order::AsGiven && same_in_any_order())
        .then_some("the same is recorded in another order; if the order means nothing, expect it with `in_any_order`");
    Err(Difference::new(&rows, recorded.failure(), hint))
}

fn rows<'a, T>(recorded: &'a Recorded<T>, expectation: &'a Expectation) -> Vec<Row<'a>> {
    let changes: Vec<_> = recorded
        .changes
        .iter()
        .map(|change| Got::Change(change, &recorded.columns))
        .collect();
    let actions: Vec<_> = recorded.actions.iter().map(Got::Action).collect();
    let (of_actions, of_changes): (Vec<_>, Vec<_>) = expectation
        .expected
        .iter()
        .partition(|expected| expected.is_action());
    let mut rows = vec![];
    for (expected, got) in [(of_changes, changes), (of_actions, actions)] {
        rows.extend(match expectation.order {
            Order::AsGiven => aligned(&expected, &got),
            Order::Any | Order::AnyAmongOthers => paired(&expected, &got),
        });
    }
    if expectation.order == Order::AnyAmongOthers {
        rows.retain(|row| !matches!(row, Row::Extra(_)));
    }
    rows
}

fn row<'a>(expected: &'a Expected, got: Got<'a>) -> Row<'a> {
    match got.matches(expected) {
        Match::Differs { reasons, .. } => Row::Differs(expected, got, reasons),
        Match::Yes | Match::No => Row::Same(expected, got),
    }
}

fn cost(expected: &Expected, got: &Got<'_>) -> Option<u32> {
    match got.matches(expected) {
        Match::Yes => Some(0),
        Match::Differs { other_record, .. } => Some(ALONE + u32::from(other_record)),
        Match::No => None,
    }
}

/// Returns the alignment of two sequences with the lowest cost.
fn aligned<'a>(expected: &[&'a Expected], got: &[Got<'a>]) -> Vec<Row<'a>> {
    let width = got.len() + 1;
    // The lowest cost of the rest after the first entries of both.
    let mut costs = vec![0; (expected.len() + 1) * width];
    let at = |e: usize, g: usize| e * width + g;
    let pairs: Vec<Option<u32>> = expected
        .iter()
        .flat_map(|expected| got.iter().map(|got| cost(expected, got)))
        .collect();
    let pair = |e: usize, g: usize| pairs[e * got.len() + g];
    for e in (0..=expected.len()).rev() {
        for g in (0..=got.len()).rev() {
            let missing = (e < expected.len()).then(|| costs[at(e + 1, g)] + ALONE);
            let extra = (g < got.len()).then(|| costs[at(e, g + 1)] + ALONE);
            let both = (e < expected.len() && g < got.len())
                .then(|| Some(costs[at(e + 1, g + 1)] + pair(e, g)?))
                .flatten();
            costs[at(e, g)] = [both, missing, extra]
                .into_iter()
                .flatten()
                .min()
                .unwrap_or(0);
        }
    }
    let (mut e, mut g) = (0, 0);
    let mut rows = vec![];
    while e < expected.len() || g < got.len() {
        let here = costs[at(e, g)];
        let both = e < expected.len()
            && g < got.len()
            && pair(e, g).is_some_and(|cost| costs[at(e + 1, g + 1)] + cost == here);
        if both {
            rows.push(row(expected[e], got[g]));
            (e, g) = (e + 1, g + 1);
        } else if e < expected.len() && costs[at(e + 1, g)] + ALONE == here {
            rows.push(Row::Missing(expected[e]));
            e += 1;
        } else {
            rows.push(Row::Extra(got[g]));
            g += 1;
        }
    }
    rows
}

/// Pairs as many matches as possible, in any order, and then the nearest ones.
fn paired<'a>(expected: &[&'a Expected], got: &[Got<'a>]) -> Vec<Row<'a>> {
    let costs: Vec<Vec<Option<u32>>> = expected
        .iter()
        .map(|expected| got.iter().map(|got| cost(expected, got)).collect())
        .collect();
    // The expectation that each record is paired with.
    let mut owner: Vec<Option<usize>> = vec![None; got.len()];
    for e in 0..expected.len() {
        let mut tried = vec![false; got.len()];
        give(e, &costs, &mut owner, &mut tried);
    }
    for (e, costs) in costs.iter().enumerate() {
        if !owner.contains(&Some(e)) {
            let nearest = costs
                .iter()
                .enumerate()
                .filter(|(g, _)| owner[*g].is_none())
                .filter_map(|(g, cost)| Some(((*cost)?, g)))
                .min();
            if let Some((_, g)) = nearest {
                owner[g] = Some(e);
            }
        }
    }
    let mut rows: Vec<_> = (0..expected.len())
        .map(|e| match owner.iter().position(|owner| *owner == Some(e)) {
            Some(g) => row(expected[e], got[g]),
            None => Row::Missing(expected[e]),
        })
        .collect();
    let extra = (0..got.len()).filter(|g| owner[*g].is_none());
    rows.extend(extra.map(|g| Row::Extra(got[g])));
    rows
}

/// Pairs an expectation with a matching record, and moves other pairs if necessary.
fn give(
    e: usize,
    costs: &[Vec<Option<u32>>],
    owner: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for g in 0..owner.len() {
        if costs[e][g] == Some(0) && !std::mem::replace(&mut tried[g], true) {
            let free = match owner[g] {
                None => true,
                Some(other) => give(other, costs, owner, tried),
            };
            if free {
                owner[g] = Some(e);
                return true;
            }
        }
    }
    false
}
