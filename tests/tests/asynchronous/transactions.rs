//! Transactions under a context that run to their end.

use diesel::result::Error;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use threadline::{
    Action, ActionFilter, AsyncAuditExt, AuditContext, Filter, InContextExt, actions,
    record_action, timeline,
};
use threadline_tests::{Sent, assert_value, rows};

use super::{
    assert_context_sent_with_begin, assert_recorded, connect, database, insert, kept, user,
};

#[tokio::test]
async fn changes_are_recorded_under_the_context() {
    let database = database();
    let conn = &mut connect(&database).await;
    let inside = conn
        .audited_transaction::<_, Error, _>(&user(1), async |conn| {
            insert(conn, 1).await?;
            insert(conn, 2).await?;
            Ok(AuditContext::current())
        })
        .await
        .unwrap();
    assert_eq!(inside, Some(user(1)));
    assert_eq!(AuditContext::current(), None);
    insert(conn, 3).await.unwrap();
    assert_recorded(
        &mut database.connect(),
        [
            "1 | user:1 | explicit",
            "2 | user:1 | explicit",
            "3 | - | none",
        ],
    );
}

#[tokio::test]
async fn the_context_is_that_of_the_task() {
    let database = database();
    let conn = &mut connect(&database).await;
    conn.audited::<_, Error, _>(async |conn| insert(conn, 1).await)
        .in_context(user(1))
        .await
        .unwrap();
    let forgotten = conn
        .audited::<_, Error, _>(async |conn| insert(conn, 2).await)
        .await;
    assert!(
        forgotten
            .unwrap_err()
            .to_string()
            .contains("no audit context is current")
    );
    conn.audited_or_plain::<_, Error, _>(async |conn| insert(conn, 3).await)
        .await
        .unwrap();
    let spawned = {
        let mut conn = connect(&database).await;
        tokio::spawn(AuditContext::carry_future(async move {
            conn.audited_or_plain::<_, Error, _>(async |conn| insert(conn, 4).await)
                .await
        }))
    };
    spawned.await.unwrap().unwrap();
    assert_recorded(
        &mut database.connect(),
        ["1 | user:1 | task-local", "3 | - | none", "4 | - | none"],
    );
}

#[tokio::test]
async fn an_error_rolls_back_and_leaves_no_context() {
    let database = database();
    let conn = &mut connect(&database).await;
    let failed = conn
        .audited_transaction::<(), _, _>(&user(1), async |conn| {
            insert(conn, 1).await?;
            Err(Error::RollbackTransaction)
        })
        .await;
    assert_eq!(failed, Err(Error::RollbackTransaction));
    insert(conn, 2).await.unwrap();
    assert_recorded(&mut database.connect(), ["2 | - | none"]);
}

#[tokio::test]
async fn a_nested_context_ends_with_its_savepoint() {
    let database = database();
    let conn = &mut connect(&database).await;
    conn.audited_transaction::<_, Error, _>(&user(1), async |conn| {
        insert(conn, 1).await?;
        conn.audited_transaction::<_, Error, _>(&user(2), async |conn| insert(conn, 2).await)
            .await?;
        let failed = conn
            .audited_transaction::<(), _, _>(&user(3), async |conn| {
                insert(conn, 3).await?;
                Err(Error::RollbackTransaction)
            })
            .await;
        assert_eq!(failed, Err(Error::RollbackTransaction));
        insert(conn, 4).await
    })
    .await
    .unwrap();
    assert_recorded(
        &mut database.connect(),
        [
            "1 | user:1 | explicit",
            "2 | user:2 | explicit",
            "4 | user:1 | explicit",
        ],
    );
}

#[tokio::test]
async fn a_built_transaction_has_its_isolation_level_and_context() {
    let database = database();
    let conn = &mut connect(&database).await;
    let mut levels = vec![];
    conn.build_audited_transaction(&user(1))
        .serializable()
        .run::<_, Error, _>(async |conn| {
            insert(conn, 1).await?;
            diesel::sql_query("UPDATE notes SET body = current_setting('transaction_isolation')")
                .execute(conn)
                .await
        })
        .await
        .unwrap();
    levels.extend(rows(&mut database.connect(), "SELECT body FROM notes"));
    assert_eq!(levels, ["serializable"]);
    let nested = conn
        .audited_transaction::<_, Error, _>(&user(2), async |conn| {
            conn.build_audited_transaction(&user(3))
                .run::<_, Error, _>(async |conn| insert(conn, 2).await)
                .await
        })
        .await;
    assert_eq!(nested, Err(Error::AlreadyInTransaction));
    insert(conn, 4).await.unwrap();
    assert_recorded(
        &mut database.connect(),
        [
            "1 | user:1 | explicit",
            "1 | user:1 | explicit",
            "4 | - | none",
        ],
    );
}

#[tokio::test]
async fn an_action_is_recorded_however_it_ends() {
    let database = database();
    let conn = &mut connect(&database).await;
    conn.audited_action::<_, Error, _>(&user(1), "note.written", async |conn| {
        insert(conn, 1).await
    })
    .await
    .unwrap();
    let failed = conn
        .audited_action::<(), _, _>(&user(2), Action::new("note.written"), async |conn| {
            insert(conn, 2).await?;
            Err(Error::NotFound)
        })
        .await;
    assert_eq!(failed, Err(Error::NotFound));
    let alone = record_action(conn, Action::new("note.refused").failed())
        .in_context(user(3))
        .await
        .unwrap();
    assert_eq!(alone.transaction_id, None);

    let page = actions(ActionFilter::new()).page(conn).await.unwrap();
    let seen: Vec<_> = page
        .entries
        .iter()
        .map(|action| {
            let reason = action.reason.as_deref().unwrap_or("-");
            format!(
                "{} {} {} {reason}",
                action.name, action.actor, action.status
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            "note.refused user:3 error -",
            "note.written user:2 error not found",
            "note.written user:1 ok -",
        ]
    );
    assert_eq!(kept(&mut database.connect()), ["1"]);
}

/// The context is sent with `BEGIN`: two messages around those of `work`.
#[tokio::test]
async fn a_context_costs_no_message() {
    use diesel_async::AsyncConnection;

    let database = database();
    let conn = &mut connect(&database).await;
    let sent = Sent::default();
    conn.set_instrumentation(sent.log());
    conn.audited_transaction::<_, Error, _>(&user(1), async |conn| insert(conn, 1).await)
        .await
        .unwrap();
    assert_context_sent_with_begin(&sent);
}

#[tokio::test]
async fn masked_values_are_read_where_it_is_recorded() {
    let database = database();
    let conn = &mut connect(&database).await;
    insert(conn, 1).await.unwrap();
    threadline::post(conn).await.unwrap();
    threadline_tests::run(
        &mut database.connect(),
        "SELECT threadline.audit('notes', mask => ARRAY['body'])",
    );
    let hidden = body(conn).await.unwrap();
    assert_eq!(hidden, "***");
    let shown = conn
        .unmasked("ticket 4711", async |conn| body(conn).await)
        .await
        .unwrap();
    assert_eq!(shown, "text");
    let action = "SELECT reason FROM threadline.audit_actions WHERE name = 'audit.unmasked'";
    assert_value(&mut database.connect(), action, "ticket 4711");
}

async fn body(conn: &mut AsyncPgConnection) -> Result<serde_json::Value, threadline::Error> {
    let page = timeline(Filter::new()).page(conn).await?;
    Ok(page.entries[0].change.row_data.clone().unwrap()["body"].clone())
}
