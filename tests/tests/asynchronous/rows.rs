//! Results row by row: exports, and whole tables as of an instant; and the worker.

use std::future::{poll_fn, ready};

use diesel_async::AsyncPgConnection;
use threadline::{
    ActorRef, Audited, Export, ExportFormat, Filter, PastRecord, SubjectExport, Worker, waiting,
};
use threadline_tests::{Database, assert_contains, scratch_dir};

use super::questions::{Member, load};
use super::{at_each_await, connect, cut, database, insert};

/// Returns the lines without those that contain the time of writing.
fn lines(written: Vec<u8>) -> Vec<String> {
    String::from_utf8(written)
        .unwrap()
        .lines()
        .filter(|line| !line.contains("generated_at"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn an_export_is_the_same_on_both_kinds_of_connection() {
    let database = Database::new();
    load(&database);
    let mut blocking = database.connect();
    let mut asynchronous = connect(&database).await;
    for format in [ExportFormat::Csv, ExportFormat::Json, ExportFormat::Ndjson] {
        for limit in [3, 100] {
            let mut told = vec![];
            let export = || Export::new(Filter::new()).with_actions().limit(limit);
            let (mut one, mut other) = (vec![], vec![]);
            let exported = export().write(&mut blocking, format, &mut one).unwrap();
            let exported_too = export()
                .progress(|changes| told.push(changes))
                .write(&mut asynchronous, format, &mut other)
                .await
                .unwrap();
            assert_eq!(exported, exported_too);
            assert_eq!(exported.truncated, limit == 3);
            assert_eq!(told, [exported.changes]);
            let one = lines(one);
            assert!(one.len() >= 3);
            assert_eq!(one, lines(other));
        }
    }
    let export = || SubjectExport::of("members", "7").actor(ActorRef::user(2).unwrap());
    let (mut one, mut other) = (vec![], vec![]);
    let exported = export().write(&mut blocking, &mut one).unwrap();
    assert!(exported > 3);
    assert_eq!(
        export().write(&mut asynchronous, &mut other).await.unwrap(),
        exported
    );
    assert_eq!(lines(one), lines(other));
}

#[tokio::test]
async fn an_export_that_is_dropped_leaves_no_file() {
    let database = Database::new();
    load(&database);
    let dir = scratch_dir().join("dropped");
    std::fs::create_dir_all(&dir).unwrap();
    at_each_await(3, async |polls| {
        let conn = &mut connect(&database).await;
        let path = dir.join(format!("{polls}.csv"));
        let export = Export::new(Filter::new()).write_file(conn, ExportFormat::Csv, &path);
        let written = cut(export, polls).await;
        assert_eq!(path.exists(), written.is_some(), "{polls} polls");
        if let Some(exported) = written {
            assert!(exported.unwrap().changes > 3);
            std::fs::remove_file(path).unwrap();
            return true;
        }
        false
    })
    .await;
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
}

#[tokio::test]
async fn everything_as_of_an_instant_comes_as_a_stream() {
    let database = Database::new();
    let instant = load(&database);
    let mut blocking = database.connect();
    let mut asynchronous = connect(&database).await;
    let one: Result<Vec<_>, _> = Member::all_as_of(&mut blocking, instant).unwrap().collect();
    let mut other = vec![];
    let mut rows = Member::all_as_of(&mut asynchronous, instant).await.unwrap();
    while let Some(row) = poll_fn(|context| rows.as_mut().poll_next(context)).await {
        other.push(row.unwrap());
    }
    drop(rows);
    let sorted = |mut all: Vec<PastRecord<Member>>| {
        all.sort_by_key(|past| past.key.to_string());
        format!("{all:#?}")
    };
    let one = sorted(one.unwrap());
    assert_contains(&one, "Bob");
    assert_eq!(one, sorted(other));

    let too_early = instant - chrono::TimeDelta::days(1);
    let refused = Member::all_as_of(&mut blocking, too_early).map(|_| ());
    let refused_too = Member::all_as_of(&mut asynchronous, too_early)
        .await
        .map(|_| ());
    let refused = refused.unwrap_err().to_string();
    assert_eq!(refused_too.unwrap_err().to_string(), refused);
}

#[tokio::test]
async fn a_worker_posts_in_a_task() {
    let database = database();
    let conn = &mut connect(&database).await;
    insert(conn, 1).await.unwrap();
    assert_eq!(waiting(conn).await.unwrap().entries, 1);
    let url = database.url();
    let mut turns = vec![];
    Worker::new()
        .run_async(
            || async {
                use diesel_async::AsyncConnection;
                AsyncPgConnection::establish(&url).await
            },
            |pause, posted| {
                turns.push((pause.is_zero(), posted.unwrap()));
                ready(turns.len() < 2)
            },
        )
        .await;
    assert_eq!(turns, [(false, 1), (false, 0)]);
    assert_eq!(waiting(conn).await.unwrap().entries, 0);
}
