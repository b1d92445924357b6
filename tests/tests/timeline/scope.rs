//! Filters within a scope, and what filters leave out.

use threadline::{
    ActorRef, AuditContext, Export, ExportFormat, Filter, Scope, TableScope, TimelineEntry,
    summary, timeline,
};
use threadline_tests::{Database, assert_contains_all, run, run_under};

/// Two tenants with accounts, one of which is older than its audit, and moves and other keys.
fn database() -> Database {
    let (database, mut conn) = Database::with(
        "CREATE TABLE accounts (id bigint PRIMARY KEY, tenant bigint, name text, margin text);
         INSERT INTO accounts VALUES (10, 1, 'old of one', 's10'), (20, 2, 'old of two', 's20');
         SELECT threadline.audit('accounts')",
    );
    let conn = &mut conn;
    let steps = [
        "INSERT INTO accounts VALUES (11, 1, 'new of one', 's11'), (21, 2, 'new of two', 's21')",
        "UPDATE accounts SET name = name || '!'",
        "UPDATE accounts SET margin = margin || '!'",
        "UPDATE accounts SET tenant = 2 WHERE id = 11",
        "UPDATE accounts SET name = 'moved to two' WHERE id = 11",
        "UPDATE accounts SET id = 30 WHERE id = 10",
        "UPDATE accounts SET name = 'other key of one' WHERE id = 30",
        "DELETE FROM accounts WHERE id = 20",
        "INSERT INTO accounts VALUES (20, 1, 'again, of one', 's')",
    ];
    for sql in steps {
        let context = AuditContext::builder(ActorRef::user(1).unwrap())
            .source("web")
            .metadata("tenant", "both")
            .build()
            .unwrap();
        run_under(conn, &context, sql);
    }
    database
}

fn of_tenant(tenant: i64) -> TableScope {
    TableScope::new("accounts").rows("tenant", tenant)
}

fn found(database: &Database, filter: Filter) -> Vec<TimelineEntry> {
    let conn = &mut database.connect();
    timeline(filter).limit(500).page(conn).unwrap().entries
}

fn names(database: &Database, filter: Filter) -> String {
    let entries = found(database, filter);
    let lines: Vec<_> = entries
        .iter()
        .map(|entry| {
            let change = &entry.change;
            let image = change.changed_to.as_ref().or(change.row_data.as_ref());
            format!(
                "{} {} {}",
                change.operation,
                change.key.as_ref().unwrap()["id"],
                image.unwrap()
            )
        })
        .collect();
    lines.join("\n")
}

#[test]
fn rows_are_told_apart_also_where_an_update_does_not_show_the_column() {
    let database = database();
    let of = |tenant| {
        names(
            &database,
            Filter::new().within(Scope::new().table(of_tenant(tenant))),
        )
    };
    let one = of(1);
    assert_contains_all(
        &one,
        &[
            "old of one!",
            "new of one",
            "other key of one",
            "again, of one",
            r#"{"id":30}"#,
        ],
    );
    let two = of(2);
    assert_contains_all(
        &two,
        &["old of two!", "new of two", "moved to two", "delete 20"],
    );
    assert!(
        !one.contains("two") && !two.contains("of one"),
        "{one}\n\n{two}"
    );
    // The move itself shows both tenants, and is in neither scope.
    assert!(!one.contains("tenant\":2") && !two.contains(r#"update 11 {"tenant""#));
    let all = found(&database, Filter::new()).len();
    assert_eq!(one.lines().count() + two.lines().count() + 1, all);
}

#[test]
fn a_hidden_column_is_in_no_answer_and_finds_nothing() {
    let database = database();
    let scope = Scope::new().table(TableScope::new("accounts").hide(["margin"]));
    let within = || Filter::new().within(scope.clone());
    let entries = found(&database, within());
    assert!(!format!("{entries:?}").contains("margin"));
    // Updates of it alone are not there.
    let all = found(&database, Filter::new()).len();
    assert_eq!(entries.len(), all - 4);
    for filter in [
        within().changed("margin"),
        within().value("margin", "s20!"),
        within().changed_to("margin", "s20!"),
        within().text("s20!").from(chrono::DateTime::UNIX_EPOCH),
        within().except("changed", "margin").unwrap(),
    ] {
        assert!(found(&database, filter.clone()).is_empty(), "{filter:?}");
    }
    let conn = &mut database.connect();
    let mut csv = vec![];
    Export::new(within())
        .with_actions()
        .write(conn, ExportFormat::Csv, &mut csv)
        .unwrap();
    let csv = String::from_utf8(csv).unwrap();
    assert!(csv.contains("of one") && !csv.contains("s10") && !csv.contains("margin"));
    assert_eq!(
        summary(conn, &within()).unwrap().changes as usize,
        entries.len()
    );
}

#[test]
fn columns_that_are_named_are_the_only_ones() {
    let database = database();
    let scope = Scope::new().table(TableScope::new("accounts").only(["name"]));
    let shown = format!("{:?}", found(&database, Filter::new().within(scope)));
    assert!(shown.contains("of two") && !shown.contains("margin") && !shown.contains("tenant"));
}

#[test]
fn an_empty_scope_and_one_of_an_unknown_table_hold_nothing() {
    let database = database();
    for scope in [
        Scope::new(),
        Scope::new().table(TableScope::new("elsewhere")),
        Scope::new().table(TableScope::new("accounts").rows("no_such_column", 1)),
        Scope::new().table(TableScope::new("accounts").rows_with_any("tenant", [0; 0])),
        Scope::every_table().metadata("tenant", "one"),
        Scope::every_table().actor(&ActorRef::user(2).unwrap()),
    ] {
        assert!(
            found(&database, Filter::new().within(scope.clone())).is_empty(),
            "{scope:?}"
        );
    }
    let conn = &mut database.connect();
    let scope = Scope::new().table(TableScope::new("elsewhere"));
    let error = timeline(Filter::new().table("accounts").within(scope))
        .page(conn)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "table accounts is not audited and never was; the audited tables are: none"
    );
}

#[test]
fn the_context_of_a_change_is_shown_by_choice_alone() {
    let database = database();
    let metadata = |scope: Scope| {
        let entries = found(&database, Filter::new().within(scope));
        entries[0].change.transaction.metadata.clone()
    };
    assert_eq!(metadata(Scope::every_table()), None);
    assert!(metadata(Scope::every_table().with_context()).is_some());
    let asked = |scope: Scope| {
        let filter = Filter::new().metadata("tenant", "both").within(scope);
        found(&database, filter).len()
    };
    assert_eq!(asked(Scope::every_table()), 0);
    assert!(asked(Scope::every_table().with_context()) > 0);
}

#[test]
fn a_scope_survives_json() {
    let scope = Scope::new()
        .table(of_tenant(1).hide(["margin"]))
        .metadata("a", "b");
    let filter = Filter::new().within(scope).except("source", "web").unwrap();
    let json = serde_json::to_string(&filter).unwrap();
    assert_eq!(serde_json::from_str::<Filter>(&json).unwrap(), filter);
}

#[test]
fn exceptions_leave_out_what_the_filter_would_find() {
    let database = database();
    let all = found(&database, Filter::new()).len();
    let inserts = || Filter::new().operation(threadline::Operation::Insert);
    for (name, text, filter) in [
        ("operation", "insert", inserts()),
        ("source", "web", Filter::new().source("web")),
        (
            "actor",
            "user:1",
            Filter::new().actor(&ActorRef::user(1).unwrap()),
        ),
        (
            "actor_type",
            "admin",
            Filter::parse([("actor_type", "admin")]).unwrap(),
        ),
        ("actor", "nobody", Filter::new().without_actor()),
        ("table", "accounts", Filter::new().table("accounts")),
        ("changed", "name", Filter::new().changed("name")),
    ] {
        let with = found(&database, filter).len();
        let without = found(&database, Filter::new().except(name, text).unwrap()).len();
        assert_eq!(with + without, all, "{name}={text}");
    }
    let parsed = Filter::parse([("except", "operation=insert"), ("except", "changed=name")]);
    assert_eq!(
        found(&database, parsed.unwrap()).len(),
        all - found(&database, Filter::new().changed("name")).len()
            - found(&database, inserts().except("changed", "name").unwrap()).len()
    );
    for text in ["colour=red", "operation=upsert", "source", "actor=57"] {
        let error = Filter::parse([("except", text)]).unwrap_err().to_string();
        assert!(error.starts_with("filter `except` cannot be"), "{error}");
    }
}

/// The same record key belongs to another row, of another tenant, since the primary key changed.
#[test]
fn rows_are_told_apart_also_across_a_change_of_the_primary_key() {
    let (database, mut conn) = Database::with(
        "CREATE TABLE accounts (id bigint PRIMARY KEY, no bigint NOT NULL UNIQUE, tenant bigint, name text);
         INSERT INTO accounts VALUES (1, 2, 1, 'one'), (2, 1, 2, 'two'); SELECT threadline.audit('accounts')",
    );
    let rekey = "ALTER TABLE accounts DROP CONSTRAINT accounts_pkey, ADD PRIMARY KEY (no); SELECT threadline.refresh('accounts')";
    for sql in [
        "UPDATE accounts SET name = 'one, before' WHERE tenant = 1",
        rekey,
        "UPDATE accounts SET name = 'two, after' WHERE tenant = 2",
        "UPDATE accounts SET tenant = 2 WHERE tenant = 2; DELETE FROM accounts WHERE tenant = 2",
    ] {
        run(&mut conn, sql);
    }
    let of = |tenant| -> Vec<String> {
        let filter = Filter::new().within(Scope::new().table(of_tenant(tenant)));
        found(&database, filter)
            .iter()
            .filter_map(|entry| entry.change.changed_to.as_ref())
            .map(|image| image["name"].as_str().unwrap().to_owned())
            .collect()
    };
    // Of whom the change of before is is not on record.
    assert_eq!(of(1), [""; 0]);
    assert_eq!(of(2), ["two, after"]);
}
