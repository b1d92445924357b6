//! For any filter, a timeline returns the same as a check of every change.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};
use threadline::{
    ActionStatus, ActorRef, ActorType, Cursor, ErrorKind, FilterError, Operation, timeline,
};
use threadline_tests::Dice;

use crate::criterion::{Criterion, Id, Table, filter};
use crate::dataset;
use crate::naive::Recorded;

const TABLES: &[Table] = &[
    table("members", "public", "members"),
    table("public.members", "public", "members"),
    table("app.members", "app", "members"),
    table("seats", "public", "seats"),
    table("\"Order\"", "public", "Order"),
    table("gone", "public", "gone"),
];

const fn table(asked: &'static str, schema: &'static str, name: &'static str) -> Table {
    Table {
        asked,
        schema,
        name,
    }
}

/// Returns a criterion for every value of the data, and for each kind one that does not
/// occur.
fn criteria(recorded: &Recorded) -> Vec<Criterion> {
    let mut criteria: Vec<_> = TABLES.iter().copied().map(Criterion::Table).collect();
    let mut add = |criterion| {
        if !criteria.contains(&criterion) {
            criteria.push(criterion);
        }
    };
    for operation in [
        Operation::Insert,
        Operation::Update,
        Operation::Delete,
        Operation::Truncate,
        Operation::Unrecognized("X".to_owned()),
        Operation::Unrecognized("none".to_owned()),
    ] {
        add(Criterion::Operation(operation));
    }
    for actor in [
        ActorRef::user("1").unwrap(),
        ActorRef::user("2").unwrap(),
        ActorRef::user("3").unwrap(),
        ActorRef::admin("1").unwrap(),
        ActorRef::admin("2").unwrap(),
        ActorRef::service_account("billing").unwrap(),
        ActorRef::job("nightly").unwrap(),
        ActorRef::system("app").unwrap(),
        ActorRef::system(" app").unwrap(),
        ActorRef::anonymous(),
    ] {
        add(Criterion::ActorType(actor.actor_type().clone()));
        add(Criterion::Actor(actor));
    }
    for kind in ["robot", "none"] {
        add(Criterion::ActorType(ActorType::Unrecognized(
            kind.to_owned(),
        )));
    }
    for id in ["a", " a ", "b", "c", "d", "alone", "none"] {
        for of in [Id::Request, Id::Correlation, Id::Job] {
            add(Criterion::Id(of, id.to_owned()));
        }
    }
    for name in [
        "member.invited",
        "member.removed",
        "seat.taken",
        "member.refused",
    ] {
        add(Criterion::Action(name.to_owned()));
    }
    for category in ["member", "seat", "special", "none"] {
        add(Criterion::Category(category.to_owned()));
    }
    for status in [
        ActionStatus::Ok,
        ActionStatus::Error,
        ActionStatus::Unrecognized("postponed".to_owned()),
        ActionStatus::Unrecognized("none".to_owned()),
    ] {
        add(Criterion::Status(status));
    }
    for source in ["web", "cli", "job", "none"] {
        add(Criterion::Source(source.to_owned()));
    }
    for (key, value) in [
        ("tenant", json!("acme")),
        ("tenant", json!("5")),
        ("tenant", json!(5)),
        ("extra", json!(5)),
        ("extra", json!("5")),
        ("extra", json!(true)),
        ("extra", json!("true")),
        ("extra", Value::Null),
        ("extra", json!({"a": [1]})),
        ("none", Value::Null),
    ] {
        add(Criterion::Metadata(key.to_owned(), value));
    }
    for role in ["postgres", "none"] {
        add(Criterion::SessionUser(role.to_owned()));
    }
    add(Criterion::Value("role".to_owned(), json!("nobody")));
    add(Criterion::Value("id".to_owned(), json!(3)));
    add(Criterion::Key(
        TABLES[3],
        "tenant".to_owned(),
        "none".to_owned(),
    ));
    add(Criterion::Changed("nothing".to_owned()));
    add(Criterion::ChangedTo("role".to_owned(), json!("nobody")));
    for (number, change) in recorded.changes.iter().enumerate() {
        if number % 70 == 3 {
            for row in [&change.row_data, &change.row_data_texts] {
                for (column, value) in row.as_object().unwrap() {
                    add(Criterion::Value(column.clone(), value.clone()));
                    add(Criterion::ChangedFrom(column.clone(), value.clone()));
                    add(Criterion::ChangedTo(column.clone(), value.clone()));
                }
            }
        }
        for (from, to) in [
            (&change.changed_from, &change.changed_to),
            (&change.changed_from_texts, &change.changed_to_texts),
        ] {
            for (column, value) in from.as_object().unwrap() {
                add(Criterion::ChangedFrom(column.clone(), value.clone()));
            }
            for (column, value) in to.as_object().unwrap() {
                add(Criterion::Changed(column.clone()));
                add(Criterion::ChangedTo(column.clone(), value.clone()));
            }
        }
        for table in TABLES {
            let its = change.table_name.as_deref() == Some(table.name)
                && change.schema_name.as_deref() == Some(table.schema);
            for key in [&change.key, &change.previous_key] {
                let Some(key) = key.as_ref().filter(|_| its) else {
                    continue;
                };
                add(Criterion::Record(*table, key.clone()));
                for (column, value) in change.key_columns.iter().flatten().zip(key) {
                    add(Criterion::Key(*table, column.clone(), value.clone()));
                }
            }
        }
        if number % 40 == 7 {
            for shift in [-1, 0, 1] {
                let instant = change.captured_at + TimeDelta::microseconds(shift);
                add(Criterion::From(instant));
                add(Criterion::To(instant));
            }
        }
    }
    add(Criterion::Record(TABLES[0], vec!["77".to_owned()]));
    add(Criterion::Record(
        TABLES[3],
        vec!["acme".to_owned(), "1".to_owned()],
    ));
    for days in [-3000, 3000] {
        let instant = recorded.changes[0].captured_at + TimeDelta::days(days);
        add(Criterion::From(instant));
        add(Criterion::To(instant));
    }
    criteria
}

/// Runs both and compares them, in pages of three, or in a dozen pages for many changes;
/// returns the number of changes.
fn compare(conn: &mut PgConnection, recorded: &Recorded, criteria: &[Criterion]) -> usize {
    let expected = recorded.answer(criteria);
    let size = (expected.len() / 12).max(3);
    let filter = filter(criteria);
    if let Err(error) = filter.check() {
        assert!(expected.is_empty(), "{error}, and yet: {criteria:?}");
        return 0;
    }
    let mut found = vec![];
    let mut next: Option<Cursor> = None;
    loop {
        let page = timeline(filter.clone()).limit(size).after(next).page(conn);
        let page = match page {
            Ok(page) => page,
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Filter(FilterError::UnknownColumn { .. })
                ) =>
            {
                assert!(expected.is_empty(), "{error}, and yet: {criteria:?}");
                return 0;
            }
            Err(error) => panic!("{error}\nin: {criteria:?}"),
        };
        for entry in &page.entries {
            let its: Vec<_> = entry.actions.iter().map(|action| action.id).collect();
            let expected: Vec<_> = recorded
                .actions
                .get(&entry.change.transaction.id)
                .into_iter()
                .flatten()
                .map(|action| action.id)
                .collect();
            assert_eq!(its, expected, "the actions of {:?}", entry.change);
            found.push(entry.change.id);
        }
        assert_eq!(page.has_more, page.next.is_some());
        assert_eq!(page.has_more, found.len() < expected.len(), "{criteria:?}");
        assert!(!page.has_more || page.entries.len() == size, "{criteria:?}");
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(found, expected, "{criteria:?}");
    let number = expected.len();
    let count = timeline(filter.clone()).count(conn).unwrap();
    assert_eq!(count, number as u64, "{criteria:?}");
    for cap in [0, 1, number, number + 1] {
        let count = timeline(filter.clone()).count_up_to(conn, cap).unwrap();
        assert_eq!(count, cap.min(number) as u64, "up to {cap}: {criteria:?}");
    }
    number
}

#[test]
fn every_filter_alone_gives_what_it_says() {
    let (_, conn) = &mut dataset::loaded();
    let recorded = Recorded::load(conn);
    assert!(recorded.changes.len() > 500, "{}", recorded.changes.len());
    compare(conn, &recorded, &[]);
    let mut nothing = 0;
    let criteria = criteria(&recorded);
    for criterion in &criteria {
        let found = compare(conn, &recorded, std::slice::from_ref(criterion));
        nothing += usize::from(found == 0);
    }
    assert!(nothing * 5 < criteria.len(), "{nothing} find nothing");
}

#[test]
fn filters_together_give_what_holds_for_all_of_them() {
    let (_, conn) = &mut dataset::loaded();
    let recorded = Recorded::load(conn);
    let criteria = criteria(&recorded);
    let mut dice = Dice::new(11);
    let (mut something, mut pages) = (0, 0);
    let rounds = 400;
    for _ in 0..rounds {
        let change = dice.pick(&recorded.changes);
        let true_of_it: Vec<_> = criteria
            .iter()
            .filter(|criterion| recorded.holds(std::slice::from_ref(criterion), change))
            .collect();
        let mut together: Vec<Criterion> = vec![];
        for _ in 0..2 + dice.roll(4) {
            let criterion = if dice.one_in(12) {
                dice.pick(&criteria)
            } else {
                dice.pick(&true_of_it)
            };
            if together
                .iter()
                .all(|other| criterion.is_compatible_with(other))
            {
                together.push(criterion.clone());
            }
        }
        let found = compare(conn, &recorded, &together);
        something += usize::from(found > 0);
        pages += usize::from(found > 3);
    }
    assert!(something * 2 > rounds, "{something} find something");
    assert!(pages * 5 > rounds, "{pages} have several pages");
}
