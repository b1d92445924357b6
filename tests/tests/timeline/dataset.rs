//! A history with something of everything.

use diesel::prelude::*;
use serde_json::json;
use threadline::{
    Action, ActionStatus, ActorRef, AuditContext, AuditContextBuilder, AuditExt, Error,
    record_action,
};
use threadline_tests::{Database, Dice, run};

const TABLES: &str = r#"
    CREATE SCHEMA app;
    CREATE TABLE members (
        id int PRIMARY KEY, name text, role text, balance numeric(10, 2), active boolean, profile jsonb);
    CREATE TABLE app.members (id int PRIMARY KEY, name text, role text);
    CREATE TABLE seats (tenant text, number int, holder text, PRIMARY KEY (number, tenant));
    CREATE TABLE "Order" (id bigint PRIMARY KEY DEFERRABLE, state text, note text);
    CREATE TABLE gone (id int PRIMARY KEY, name text);
    SELECT threadline.audit('members', mask => ARRAY['name']), threadline.audit('app.members'),
           threadline.audit('seats'), threadline.audit('"Order"'), threadline.audit('gone');
"#;

/// Ids of requests, correlations and jobs: one equals another except for blanks around
/// it.
const IDS: &[&str] = &["a", " a ", "b", "c", "d"];

/// Writes a hundred and sixty transactions on five tables, one of which is dropped at the
/// end; the same ones every time.
pub fn loaded() -> (Database, PgConnection) {
    let (database, mut conn) = Database::with(TABLES);
    let conn = &mut conn;
    let other = &mut database.connect();
    let mut dice = Dice::new(7);
    for turn in 0..160 {
        match turn % 16 {
            3 => conn.transaction(|conn| write(conn, &mut dice)).unwrap(),
            7 => by_hand(conn, &mut dice),
            11 => nested(conn, &mut dice),
            14 => interleaved(conn, other, &mut dice),
            _ => {
                let context = context(&mut dice);
                conn.audited_transaction(&context, |conn| write(conn, &mut dice))
                    .unwrap();
            }
        }
    }
    record_alone(conn);
    run(
        conn,
        "BEGIN ISOLATION LEVEL REPEATABLE READ; TRUNCATE seats; COMMIT;
         SELECT threadline.post();
         INSERT INTO threadline.ledger_changes (id, position, transaction_id, captured_at, table_id, op, row_data)
         SELECT nextval('threadline.entry_ids'), -1, max(id), now(), 9999, 'I', '{\"of\": \"an unknown table\"}' FROM threadline.audit_transactions;
         INSERT INTO threadline.ledger_changes (id, position, transaction_id, captured_at, table_id, op)
         SELECT nextval('threadline.entry_ids'), -2, max(transaction_id), now(), min(table_id), 'X' FROM threadline.audit_changes;
         INSERT INTO threadline.audit_actions (transaction_id, name, actor_type, status)
         SELECT max(transaction_id), 'member.seen', 'robot', 'postponed' FROM threadline.audit_changes;
         DROP TABLE gone",
    );
    database.connected()
}

fn context(dice: &mut Dice) -> AuditContext {
    let id = *dice.pick(&["1", "2"]);
    let actor = match dice.roll(8) {
        0 | 1 => ActorRef::user(id),
        2 => ActorRef::admin(id),
        3 => ActorRef::service_account("billing"),
        4 => ActorRef::job("nightly"),
        5 => ActorRef::system("app"),
        6 => Ok(ActorRef::anonymous()),
        _ => return enriched(AuditContext::builder_without_actor(), dice),
    };
    enriched(AuditContext::builder(actor.unwrap()), dice)
}

fn enriched(mut context: AuditContextBuilder, dice: &mut Dice) -> AuditContext {
    if dice.one_in(2) {
        context = context.request_id(*dice.pick(IDS));
    }
    if dice.one_in(2) {
        context = context.correlation_id(*dice.pick(IDS));
    }
    if dice.one_in(3) {
        context = context.job_id(*dice.pick(IDS));
    }
    if dice.one_in(2) {
        context = context.source(*dice.pick(&["web", "cli", "job"]));
    }
    if dice.one_in(2) {
        context = context.metadata("tenant", *dice.pick(&["acme", "5"]));
    }
    if dice.one_in(3) {
        let value = dice
            .pick(&[json!(5), json!(true), json!(null), json!({"a": [1]})])
            .clone();
        context = context.metadata("extra", value);
    }
    context.build().unwrap()
}

/// Runs a few statements and actions in one transaction.
fn write(conn: &mut PgConnection, dice: &mut Dice) -> Result<(), Error> {
    if dice.one_in(3) {
        act(conn, dice)?;
    }
    for _ in 0..1 + dice.roll(4) {
        diesel::sql_query(statement(dice)).execute(conn)?;
    }
    while dice.one_in(3) {
        act(conn, dice)?;
    }
    Ok(())
}

fn act(conn: &mut PgConnection, dice: &mut Dice) -> Result<(), Error> {
    let mut action = Action::new(*dice.pick(&["member.invited", "member.removed", "seat.taken"]))
        .actor(ActorRef::user("1").unwrap());
    if dice.one_in(4) {
        action = action.category("special");
    }
    if dice.one_in(3) {
        action = action.status(ActionStatus::Error);
    }
    if dice.one_in(3) {
        action = action.correlation_id(*dice.pick(IDS));
    }
    if dice.one_in(4) {
        action = action.request_id(*dice.pick(IDS));
    }
    if dice.one_in(4) {
        action = action.job_id(*dice.pick(IDS));
    }
    record_action(conn, action).map(drop)
}

fn statement(dice: &mut Dice) -> String {
    let (id, other) = (1 + dice.roll(6), 1 + dice.roll(6));
    let role = *dice.pick(&["'member'", "'treasurer'", "'10.50'", "'true'", "NULL"]);
    let tenant = *dice.pick(&["acme", "o'x"]);
    match dice.roll(24) {
        0..4 => format!(
            "INSERT INTO members VALUES ({id}, 'n{other}', {role}, {other}.50, {other} > 3, '{{\"n\": {other}}}')
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, role = excluded.role"
        ),
        4..7 => format!("UPDATE members SET role = {role} WHERE id <= {id}"),
        7 => "UPDATE members SET balance = CASE WHEN balance = 10.50 THEN 7 ELSE 10.50 END, active = NOT active"
            .to_owned(),
        8 => format!("UPDATE members SET profile = '{{\"n\": {other}}}' WHERE id = {id}"),
        9 => moved("members", id, other),
        10 => format!("DELETE FROM members WHERE id = {id}"),
        11 | 12 => format!(
            "INSERT INTO app.members VALUES ({id}, 'n{other}', {role})
             ON CONFLICT (id) DO UPDATE SET role = excluded.role"
        ),
        13 => format!("UPDATE app.members SET name = 'n{other}' WHERE id = {id}"),
        14 => moved("app.members", id, other),
        15 | 16 => format!(
            "INSERT INTO seats VALUES ('{}', {id}, 'h{other}') ON CONFLICT (number, tenant) DO UPDATE SET holder = excluded.holder",
            tenant.replace('\'', "''")
        ),
        17 => format!("UPDATE seats SET number = number + 10 WHERE number = {id}"),
        18 => format!("DELETE FROM seats WHERE number % 10 = {id}"),
        19 | 20 => format!(
            "INSERT INTO \"Order\" SELECT coalesce(max(id), 0) + 1, 'new', 'o{other}' FROM \"Order\""
        ),
        21 => "UPDATE \"Order\" SET id = id + 1".to_owned(),
        22 => format!("UPDATE \"Order\" SET state = {role} WHERE id % 3 = 0"),
        _ if dice.one_in(2) => "TRUNCATE seats".to_owned(),
        _ => format!("DELETE FROM \"Order\" WHERE id % 6 = {id}"),
    }
}

fn moved(table: &str, from: usize, to: usize) -> String {
    format!(
        "UPDATE {table} SET id = {to}, role = 'moved' WHERE id = {from} AND NOT EXISTS (SELECT FROM {table} WHERE id = {to})"
    )
}

/// Writes under actors that only a setting made by hand can have: of a type that this
/// version does not know, and anonymous with an id.
fn by_hand(conn: &mut PgConnection, dice: &mut Dice) {
    let kind = *dice.pick(&["robot", "anonymous"]);
    conn.transaction(|conn| {
        run(
            conn,
            &format!(
                r#"SELECT threadline.set_context('{{"actor": {{"type": "{kind}", "id": "r2"}}, "source": "web"}}')"#
            ),
        );
        write(conn, dice)
    })
    .unwrap();
}

/// Writes under two contexts in one database transaction, the outer one before and after.
fn nested(conn: &mut PgConnection, dice: &mut Dice) {
    let (outer, inner) = (context(dice), context(dice));
    conn.audited_transaction::<_, Error, _>(&outer, |conn| {
        write(conn, dice)?;
        conn.audited_transaction(&inner, |conn| write(conn, dice))?;
        write(conn, dice)
    })
    .unwrap();
}

/// Runs a transaction within another one.
fn interleaved(conn: &mut PgConnection, other: &mut PgConnection, dice: &mut Dice) {
    let (first, second) = (context(dice), context(dice));
    conn.audited_transaction::<_, Error, _>(&first, |conn| {
        write(conn, dice)?;
        other.audited_transaction(&second, |other| {
            diesel::sql_query(
                "INSERT INTO gone SELECT coalesce(max(id), 0) + 1, 'x' FROM gone RETURNING id",
            )
            .execute(other)
        })?;
        write(conn, dice)
    })
    .unwrap();
}

/// Records an action without a transaction, which belongs to no change.
fn record_alone(conn: &mut PgConnection) {
    record_action(
        conn,
        Action::new("member.refused")
            .actor(ActorRef::user("1").unwrap())
            .correlation_id("alone"),
    )
    .unwrap();
}
