//! Searches that no index answers end within reach, and continue there.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use threadline::__cli::ready;
use threadline::__web::{
    count_within_reach, overview, overview_and_page, overview_within_reach, page_within_reach,
    with_tables,
};
use threadline::{
    ActionStatus, AuditAction, Cursor, Filter, Operation, Page, Scope, TableScope, TimelineEntry,
    timeline,
};
use threadline_tests::run;

use super::cost::{LARGE, LOGINS, assert_reads_at_most, counters, history, vacuum};

/// The most entries of indexes that a search may read: 20,000 changes, once to find out where
/// they end and once to compare them.
const MOST: i64 = 41_000;

type Ended = (Page<TimelineEntry>, Option<DateTime<Utc>>);

fn within_reach(
    conn: &mut PgConnection,
    filter: &Filter,
    after: Option<Cursor>,
    limit: usize,
) -> Ended {
    let page = timeline(filter.clone()).limit(limit).after(after);
    ready(page_within_reach(conn, page)).unwrap_or_else(|error| panic!("{error}: {filter:?}"))
}

/// Returns everything that the pages return, and how many of them ended at their reach.
fn walked(
    conn: &mut PgConnection,
    filter: &Filter,
) -> (Vec<TimelineEntry>, Vec<AuditAction>, usize) {
    let (mut entries, mut actions, mut ended) = (vec![], vec![], 0);
    let mut next = None;
    loop {
        let (page, searched_to) = within_reach(conn, filter, next, 100_000);
        entries.extend(page.entries);
        actions.extend(page.other_actions);
        ended += usize::from(searched_to.is_some());
        next = page.next;
        if next.is_none() {
            return (entries, actions, ended);
        }
    }
}

fn some_rows() -> Scope {
    Scope::new()
        .table(TableScope::new("ledger_1").rows("name", "name 1"))
        .table(TableScope::new("ledger_2"))
}

/// Searches that find little, or nothing.
fn searches() -> Vec<Filter> {
    let filter = Filter::new;
    let from = "2025-01-15T00:00:00Z".parse().unwrap();
    vec![
        filter().changed_from("name", "lost"),
        filter()
            .changed_from("name", "lost")
            .operation(Operation::Delete),
        filter().value("name", "lost").from(from),
        filter().table("bulk").changed_from("name", "lost"),
        filter().table("bulk").source("console"),
        filter().table("bulk").action("order.lost"),
        filter().metadata("tenant", "lost"),
        filter().source("web").metadata("tenant", "lost"),
        filter().session_user("nobody"),
        filter()
            .except("source", "web")
            .and_then(|filter| filter.except("source", "cli"))
            .and_then(|filter| filter.except("source", "console"))
            .unwrap(),
        filter().except("changed", "name").unwrap(),
        filter().text("zebra").from(from),
        filter().category("stock").changed_from("name", "lost"),
        filter().within(some_rows()),
        filter().within(some_rows()).source("cli"),
        filter().within(some_rows()).text("lost").from(from),
    ]
}

#[test]
fn a_search_reads_no_more_than_its_reach() {
    let (_, conn) = &mut history();
    run(conn, LARGE);
    vacuum(conn);
    assert_reads_at_most(conn, MOST, searches(), |conn, filter| {
        let before = counters(conn);
        within_reach(conn, filter, None, 50);
        let page = counters(conn);
        ready(overview_within_reach(conn, filter, 1_000))?;
        Ok([before, page, counters(conn)])
    });
}

#[test]
fn pages_within_reach_are_all_pages() {
    let (_, conn) = &mut history();
    run(conn, LARGE);
    run(conn, LOGINS);
    vacuum(conn);
    let mut all_ended = 0;
    let found = [
        Filter::new().value("name", "name 1"),
        Filter::new().status(ActionStatus::Error),
        Filter::new().source("console"),
    ];
    for filter in searches().into_iter().chain(found) {
        let of_two_months = filter
            .from("2025-05-01T00:00:00Z".parse().unwrap())
            .to("2025-07-01T00:00:00Z".parse().unwrap());
        let (entries, actions, ended) = walked(conn, &of_two_months);
        let everything = timeline(of_two_months.clone())
            .limit(100_000)
            .page(conn)
            .unwrap();
        let ids = |entries: &[TimelineEntry]| -> Vec<(i64, usize)> {
            let of = |entry: &TimelineEntry| (entry.change.id, entry.actions.len());
            entries.iter().map(of).collect()
        };
        assert!(
            ids(&entries) == ids(&everything.entries),
            "{of_two_months:?}"
        );
        let mut found: Vec<i64> = actions.iter().map(|action| action.id).collect();
        let mut others: Vec<i64> = everything.other_actions.iter().map(|a| a.id).collect();
        found.sort_unstable();
        others.sort_unstable();
        assert_eq!(found, others, "{of_two_months:?}");
        all_ended += ended;
    }
    assert!(all_ended > 20, "{all_ended}");
}

#[test]
fn counts_within_reach_say_where_they_ended() {
    let (_, conn) = &mut history();
    let scope = Filter::new().within(some_rows());
    let all = ready(overview(conn, &scope, 100_000)).unwrap();
    assert!(!all.more && all.searched_to.is_none());
    let some = ready(overview_within_reach(conn, &scope, 100_000)).unwrap();
    assert!(some.more && some.changes < all.changes);
    let (page, searched_to) = within_reach(conn, &scope, None, 500);
    assert_eq!(some.changes, page.entries.len() as u64);
    assert_eq!((some.searched_to, true), (searched_to, page.has_more));
    let oldest = page.entries.last().unwrap().change.captured_at;
    assert!(searched_to.unwrap() <= oldest);
    // Nothing to say where all is read, or enough is found.
    let few = ready(overview_within_reach(conn, &scope, 10)).unwrap();
    assert_eq!((few.changes, few.more, few.searched_to), (10, true, None));
    let (_, searched_to) = within_reach(conn, &Filter::new().table("ledger_1"), None, 50);
    assert_eq!(searched_to, None);
}

/// Searches that find many changes, some of them in the order of a record.
fn findings() -> Vec<Filter> {
    let filter = Filter::new;
    vec![
        filter(),
        filter().table("ledger_1"),
        filter().table("ledger_1").record("1"),
        filter().value("name", "name 1"),
        filter().status(ActionStatus::Error),
        filter().source("console"),
        filter().source("web").operation(Operation::Delete),
        // Enough of them are near, within reach, or nowhere.
        filter().within(of_tables(&["ledger_1", "ledger_2", "bulk"])),
        filter()
            .table("ledger_1")
            .within(of_tables(&["ledger_0", "ledger_1"])),
        filter().within(of_tables(&["bulk"])),
        filter().within(of_tables(&["none"])),
    ]
}

fn of_tables(tables: &[&str]) -> Scope {
    let tables = tables
        .iter()
        .map(|table| TableScope::new(*table).hide(["id"]));
    tables.fold(Scope::new(), Scope::table)
}

#[test]
fn an_overview_with_its_page_is_the_same_as_each_alone() {
    let (_, conn) = &mut history();
    run(conn, LARGE);
    run(conn, LOGINS);
    vacuum(conn);
    let (mut full, mut partial) = (0, 0);
    for filter in searches().into_iter().chain(findings()) {
        let mut next = None;
        for _ in 0..3 {
            let alone = within_reach(conn, &filter, next, 7);
            let counts = ready(overview_within_reach(conn, &filter, 100)).unwrap();
            let both = timeline(filter.clone()).limit(7).after(next);
            let (overview, page) = ready(overview_and_page(conn, both, 100)).unwrap();
            assert_eq!(overview, counts, "{filter:?}");
            assert_eq!(page, alone, "{filter:?} after {next:?}");
            full += usize::from(page.0.entries.len() == 7);
            partial += usize::from(page.1.is_some());
            next = page.0.next;
            if next.is_none() {
                break;
            }
        }
    }
    assert!(full > 10 && partial > 10, "{full} {partial}");
}

#[test]
fn a_page_may_be_longer_than_its_overview() {
    let (_, conn) = &mut history();
    let page = timeline(Filter::new()).limit(60);
    let (_, (page, _)) = ready(overview_and_page(conn, page, 10)).unwrap();
    assert_eq!((page.entries.len(), page.has_more), (60, true));
}

#[test]
fn a_count_within_reach_says_whether_there_may_be_more() {
    let (_, conn) = &mut history();
    let mut counted = |filter: &Filter, cap| ready(count_within_reach(conn, filter, cap)).unwrap();
    let record = Filter::new().table("ledger_1").record("1");
    let (all, more) = counted(&record, 100_000);
    assert!(all > 1 && !more);
    assert_eq!(counted(&record, 2), (2, true));
    let scope = Filter::new().within(some_rows());
    let (some, more) = counted(&scope, 100_000);
    assert!(more);
    assert_eq!(
        ready(overview_within_reach(conn, &scope, 100_000))
            .unwrap()
            .changes,
        some
    );
}

#[test]
fn a_scope_finds_the_same_when_its_tables_were_looked_up_before() {
    let (_, conn) = &mut history();
    let scope = some_rows().table(TableScope::new("no_such_table"));
    let known = ready(with_tables(conn, &scope)).unwrap();
    assert_eq!(known, scope);
    let of = |scope: &Scope| Filter::new().within(scope.clone());
    let page = within_reach(conn, &of(&scope), None, 100);
    assert!(page.0.entries.len() > 10);
    assert_eq!(within_reach(conn, &of(&known), None, 100), page);
    // A table that is added afterwards is looked up again.
    let more = known.table(TableScope::new("ledger_3"));
    let all = within_reach(conn, &of(&more), None, 100);
    let of_third = |page: &Ended| {
        let tables = page.0.entries.iter().map(|entry| &entry.change.table);
        tables.filter(|t| t.as_deref() == Some("ledger_3")).count()
    };
    assert!(of_third(&page) == 0 && of_third(&all) > 0);
}
