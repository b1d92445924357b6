//! The policy of a table.

use std::collections::BTreeMap;

use super::dice::Dice;
use super::names::literal;
use super::schema::Treatment;
use super::table::Column;

/// Returns a policy over columns, the first `keys` of which are the key's.
pub fn policy(
    columns: &[Column],
    keys: usize,
    dice: &mut Dice,
) -> (String, BTreeMap<i64, Treatment>, bool) {
    let mut chosen = vec![Treatment::Clear; columns.len()];
    let only = dice.one_in(6);
    let redacts = only || dice.roll(3) > 0;
    for number in keys..columns.len() {
        let column = &columns[number];
        if column.rest.contains("REFERENCES") || !redacts {
            chosen[number] = if only && dice.one_in(2) {
                Treatment::Exclude
            } else {
                Treatment::Clear
            };
        } else if only {
            chosen[number] = *dice.pick(&[Treatment::Clear, Treatment::Exclude]);
        } else {
            chosen[number] = *dice.pick(&[
                Treatment::Clear,
                Treatment::Clear,
                Treatment::Mask,
                Treatment::Token,
                Treatment::Exclude,
            ]);
        }
        if let Some(source) = column.source {
            chosen[number] = if only && chosen[source] == Treatment::Clear {
                Treatment::Clear
            } else {
                chosen[source]
            };
        }
    }
    let only = only && chosen[keys..].contains(&Treatment::Clear);
    if !redacts || (!only && chosen[keys..].iter().all(|t| *t == Treatment::Exclude)) {
        chosen.fill(Treatment::Clear);
    }
    let of = |treatment| {
        let names: Vec<_> = (keys..columns.len())
            .filter(|n| {
                chosen[*n] == treatment
                    && (treatment == Treatment::Clear || columns[*n].source.is_none())
            })
            .map(|n| literal(&columns[n].name))
            .collect();
        format!("ARRAY[{}]::text[]", names.join(", "))
    };
    let audit = if only {
        format!(", columns => {}", of(Treatment::Clear))
    } else if chosen.iter().any(|t| *t != Treatment::Clear) {
        format!(
            ", mask => {}, exclude => {}, token => {}",
            of(Treatment::Mask),
            of(Treatment::Exclude),
            of(Treatment::Token)
        )
    } else {
        String::new()
    };
    let treatments = chosen
        .into_iter()
        .enumerate()
        .map(|(n, t)| (n as i64 + 1, t))
        .collect();
    (audit, treatments, only)
}
