//! The policy of a table.

use std::collections::BTreeMap;

use threadline_tests::Dice;

use super::names::literal;
use super::schema::ColumnPolicy;
use super::table::Column;

/// Returns a policy over columns, the first `keys` of which are the key's.
pub fn policy(
    columns: &[Column],
    keys: usize,
    dice: &mut Dice,
) -> (String, BTreeMap<i64, ColumnPolicy>, bool) {
    let mut chosen = vec![ColumnPolicy::Plain; columns.len()];
    let only = dice.one_in(6);
    let redacts = only || dice.roll(3) > 0;
    for number in keys..columns.len() {
        let column = &columns[number];
        if column.rest.contains("REFERENCES") || !redacts {
            chosen[number] = if only && dice.one_in(2) {
                ColumnPolicy::Exclude
            } else {
                ColumnPolicy::Plain
            };
        } else if only {
            chosen[number] = *dice.pick(&[ColumnPolicy::Plain, ColumnPolicy::Exclude]);
        } else {
            chosen[number] = *dice.pick(&[
                ColumnPolicy::Plain,
                ColumnPolicy::Plain,
                ColumnPolicy::Mask,
                ColumnPolicy::Hash,
                ColumnPolicy::Exclude,
            ]);
        }
        if let Some(source) = column.source {
            chosen[number] = if only && chosen[source] == ColumnPolicy::Plain {
                ColumnPolicy::Plain
            } else {
                chosen[source]
            };
        }
    }
    let only = only && chosen[keys..].contains(&ColumnPolicy::Plain);
    if !redacts || (!only && chosen[keys..].iter().all(|t| *t == ColumnPolicy::Exclude)) {
        chosen.fill(ColumnPolicy::Plain);
    }
    let of = |column_policy| {
        let names: Vec<_> = (keys..columns.len())
            .filter(|n| {
                chosen[*n] == column_policy
                    && (column_policy == ColumnPolicy::Plain || columns[*n].source.is_none())
            })
            .map(|n| literal(&columns[n].name))
            .collect();
        format!("ARRAY[{}]::text[]", names.join(", "))
    };
    let audit = if only {
        format!(", columns => {}", of(ColumnPolicy::Plain))
    } else if chosen.iter().any(|t| *t != ColumnPolicy::Plain) {
        format!(
            ", mask => {}, exclude => {}, hash => {}",
            of(ColumnPolicy::Mask),
            of(ColumnPolicy::Exclude),
            of(ColumnPolicy::Hash)
        )
    } else {
        String::new()
    };
    let column_policies = chosen
        .into_iter()
        .enumerate()
        .map(|(n, t)| (n as i64 + 1, t))
        .collect();
    (audit, column_policies, only)
}
