//! A record's history in pages, with the reasons.

use diesel::prelude::*;
use threadline::{
    Action, ActorRef, AuditContext, AuditExt, Audited, Error, ErrorKind, Filter, History,
    record_action, timeline,
};
use threadline_tests::{Database, pages_of, run};

diesel::table! {
    seats (tenant, number) { tenant -> Text, number -> Int4, holder -> Text, }
}

#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = seats, primary_key(tenant, number))]
struct Seat {
    tenant: String,
    number: i32,
    #[allow(dead_code)]
    holder: String,
}

const SEATS: &str = "
    CREATE TABLE seats (tenant text, number int, holder text NOT NULL, PRIMARY KEY (tenant, number));
    SELECT threadline.audit('seats');
";

fn change(conn: &mut PgConnection, sql: &str, reason: Option<&str>) {
    let context = AuditContext::new(ActorRef::user("1").unwrap());
    conn.audited_transaction::<_, Error, _>(&context, |conn| {
        diesel::sql_query(sql).execute(conn)?;
        if let Some(reason) = reason {
            record_action(conn, Action::new("seat.taken").reason(reason))?;
        }
        Ok(())
    })
    .unwrap();
}

/// Returns the changes of a seat in pages, each with its reasons, and the number of
/// pages.
fn paged(conn: &mut PgConnection, number: i32, limit: usize) -> (Vec<(i64, Vec<String>)>, usize) {
    let mut entries = vec![];
    let pages = pages_of(|next| {
        let query = History::<Seat, _>::of_key(("acme", number)).limit(limit);
        query.after(next).unwrap().page(conn).unwrap()
    });
    let count = pages.len();
    for page in pages {
        assert!(page.entries.len() <= limit);
        assert!(page.other_actions.is_empty());
        entries.extend(page.entries.into_iter().map(|entry| {
            let reasons = entry.actions.into_iter().filter_map(|a| a.reason).collect();
            (entry.change.id, reasons)
        }));
    }
    (entries, count)
}

#[test]
fn a_history_comes_in_pages_and_says_why() {
    let (_, conn) = &mut Database::with(SEATS);
    change(
        conn,
        "INSERT INTO seats VALUES ('acme', 1, 'a'), ('acme', 9, 'x')",
        None,
    );
    for turn in 0..6 {
        let reason = format!("turn {turn}");
        let sql = format!("UPDATE seats SET holder = '{turn}' WHERE number = 1");
        change(conn, &sql, (turn % 2 == 0).then_some(&*reason));
        if turn == 2 {
            run(conn, "SELECT threadline.post()");
        }
    }
    // From here on under another key; the earlier changes belong to it.
    change(
        conn,
        "UPDATE seats SET number = 2 WHERE number = 1",
        Some("moved"),
    );
    change(conn, "DELETE FROM seats WHERE number = 2", None);
    for posted in [false, true] {
        if posted {
            run(conn, "SELECT threadline.post()");
        }
        let whole = Seat::history_of(conn, ("acme", 2)).unwrap();
        assert_eq!(whole.len(), 9);
        let ids: Vec<i64> = whole.iter().map(|change| change.id).collect();
        for (limit, pages) in [(1, 9), (2, 5), (4, 3), (9, 1), (50, 1)] {
            let (entries, found) = paged(conn, 2, limit);
            assert_eq!(found, pages);
            assert_eq!(entries.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids);
            let reasons: Vec<_> = entries.into_iter().flat_map(|(_, why)| why).collect();
            assert_eq!(reasons, ["moved", "turn 4", "turn 2", "turn 0"]);
        }
        let newest = History::<Seat, _>::of_key(("acme", 2)).limit(3);
        assert_eq!(newest.load(conn).unwrap(), whole[..3]);
    }
}

#[test]
fn a_cursor_of_another_query_is_refused() {
    let (_, conn) = &mut Database::with(SEATS);
    change(conn, "INSERT INTO seats VALUES ('acme', 1, 'a')", None);
    change(conn, "UPDATE seats SET holder = 'b'", None);
    let other = timeline(Filter::new()).limit(1).page(conn).unwrap().next;
    assert!(other.is_some());
    let error = History::<Seat, _>::of_key(("acme", 1))
        .after(other)
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Cursor { .. }), "{error}");
}
