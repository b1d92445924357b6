//! Errors of invalid filters name the reason and a correct form.

use chrono::{TimeDelta, Utc};
use diesel::prelude::*;
use threadline::{
    ActorRef, ActorType, ErrorKind, Filter, FilterError, Operation, RecordKey, timeline,
};
use threadline_tests::{Database, rolled_back, rolled_back_with, run};

fn error(conn: &mut PgConnection, filter: Filter) -> String {
    let page = timeline(filter.clone()).page(conn).unwrap_err();
    let count = timeline(filter.clone()).count(conn).unwrap_err();
    let up_to = timeline(filter).count_up_to(conn, 5).unwrap_err();
    assert_eq!(page.to_string(), count.to_string());
    assert_eq!(page.to_string(), up_to.to_string());
    page.to_string()
}

const TABLES: &str = r#"
    CREATE SCHEMA app;
    CREATE TABLE app.members (id int PRIMARY KEY);
    CREATE TABLE "Order" (tenant text, number int, PRIMARY KEY (number, tenant));
    CREATE TABLE plain (id int PRIMARY KEY);
    SELECT threadline.audit('app.members'), threadline.audit('"Order"');
"#;

#[test]
fn a_table_that_was_never_audited_lists_those_that_were() {
    let conn = &mut rolled_back();
    let none = error(conn, Filter::new().table("members"));
    run(conn, TABLES);
    let errors = [
        none,
        error(conn, Filter::new().table("plain")),
        error(conn, Filter::new().table("members")),
        error(conn, Filter::new().table("order")),
        error(conn, Filter::new().table("Order")),
        error(conn, Filter::new().table("public.members").record(1)),
        error(conn, Filter::new().table("nowhere.members")),
    ];
    insta::assert_snapshot!(errors.join("\n"));
    let error = timeline(Filter::new().table("plain"))
        .page(conn)
        .unwrap_err();
    assert!(
        matches!(
            error.kind(),
            ErrorKind::Filter(FilterError::UnknownTable { .. })
        ),
        "{error:?}"
    );
}

#[test]
fn a_name_that_is_none_says_so() {
    let (_, conn) = &mut Database::with(TABLES);
    let errors = ["", "two words", "\"open", "a.b.c.d", "1st", "app."]
        .map(|name| error(conn, Filter::new().table(name)));
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn a_key_has_as_many_values_as_the_table_has_key_columns() {
    let conn = &mut rolled_back_with(TABLES);
    let order = || Filter::new().table("\"Order\"");
    let members = || Filter::new().table("app.members");
    let nothing = RecordKey::of::<String>([]);
    let errors = [
        error(conn, order().record(7)),
        error(conn, order().record(RecordKey::of(["7", "acme", "x"]))),
        error(conn, members().record(RecordKey::of([1, 2]))),
        error(conn, members().record(nothing)),
    ];
    insta::assert_snapshot!(errors.join("\n"));
    let whole = order().record(RecordKey::of(["7", "acme"]));
    assert!(timeline(whole).page(conn).unwrap().entries.is_empty());
}

#[test]
fn a_part_of_a_key_is_a_column_of_the_tables_key() {
    let conn = &mut rolled_back_with(TABLES);
    let errors = [
        error(conn, Filter::new().key("tenant", "acme")),
        error(conn, Filter::new().table("\"Order\"").key("holder", "x")),
        error(conn, Filter::new().table("plain").key("id", 1)),
    ];
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn contradictory_conditions_are_an_error_and_not_an_empty_page() {
    let conn = &mut rolled_back_with(TABLES);
    let later = "2026-02-01T00:00:00Z".parse().unwrap();
    let earlier = "2026-01-01T00:00:00.000001Z".parse().unwrap();
    let filter = Filter::new;
    let errors = [
        error(conn, filter().record(1)),
        error(conn, filter().from(later).to(earlier)),
        error(
            conn,
            filter()
                .actor(&ActorRef::user("1").unwrap())
                .actor_type(ActorType::Admin),
        ),
        error(
            conn,
            filter()
                .actor(&ActorRef::anonymous())
                .actor_type(ActorType::User),
        ),
        error(
            conn,
            filter()
                .operation(Operation::Insert)
                .changed_from("role", "member"),
        ),
        error(
            conn,
            filter()
                .operation(Operation::Delete)
                .changed_to("role", "member"),
        ),
        error(
            conn,
            filter()
                .operation(Operation::Truncate)
                .changed_to("role", "member"),
        ),
    ];
    insta::assert_snapshot!(errors.join("\n"));
    let now = Utc::now();
    let allowed = filter()
        .from(now - TimeDelta::days(1))
        .to(now - TimeDelta::days(1))
        .actor(&ActorRef::anonymous())
        .actor_type(ActorType::Anonymous)
        .operation(Operation::Update)
        .changed("role");
    assert_eq!(timeline(allowed).count(conn).unwrap(), 0);
}
