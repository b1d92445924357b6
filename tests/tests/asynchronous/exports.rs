//! Exports that are sent as fast as their reader takes them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use diesel_async::AsyncPgConnection;
use threadline::{ActorRef, ErrorKind, Export, ExportFormat, ExportStream, Filter};
use threadline_tests::{Database, rows, run};
use tokio::io::AsyncWrite;

use super::pools::deadpool;
use super::{connect, database, insert};

const FORMATS: [ExportFormat; 3] = [ExportFormat::Csv, ExportFormat::Json, ExportFormat::Ndjson];

async fn read(mut stream: ExportStream) -> Vec<u8> {
    let mut all = vec![];
    while let Some(bytes) = stream.next().await {
        let bytes = bytes.unwrap();
        assert!(!bytes.is_empty());
        all.extend_from_slice(&bytes);
    }
    assert!(stream.next().await.is_none());
    all
}

/// Returns the text without the time of creation.
fn text(bytes: Vec<u8>) -> String {
    let text = String::from_utf8(bytes).unwrap();
    match text.split_once("\"generated_at\":\"") {
        Some((before, after)) => {
            format!("{before}{}", &after["2026-11-23T09:14:03.000000Z".len()..])
        }
        None => text,
    }
}

/// Writes 30 MB of changes.
fn much(database: &Database) {
    run(
        &mut database.connect(),
        "INSERT INTO notes SELECT n, repeat('x', 10000) FROM generate_series(1, 3000) AS n",
    );
}

#[tokio::test]
async fn a_sink_and_a_stream_get_what_a_file_gets() {
    let database = database();
    run(
        &mut database.connect(),
        "INSERT INTO notes SELECT n, 'text' FROM generate_series(1, 2500) AS n",
    );
    for format in FORMATS {
        for limit in [0, 7, 2500] {
            let export = || Export::new(Filter::new()).with_actions().limit(limit);
            let mut file = vec![];
            let exported = export()
                .write(&mut database.connect(), format, &mut file)
                .unwrap();
            let mut sink = vec![];
            let conn = &mut connect(&database).await;
            let sent = export().write_async(conn, format, &mut sink).await.unwrap();
            assert_eq!(sent, exported);
            let stream = export()
                .stream(connect(&database).await, format)
                .await
                .unwrap();
            let file = text(file);
            assert!(text(sink) == file, "{format:?} {limit}");
            assert!(text(read(stream).await) == file, "{format:?} {limit}");
        }
    }
    let nothing = Filter::new().actor(&ActorRef::user("nobody").unwrap());
    let mut calls = vec![];
    let export = Export::new(nothing).progress(|changes| calls.push(changes));
    let conn = &mut connect(&database).await;
    export
        .write_async(conn, ExportFormat::Csv, tokio::io::sink())
        .await
        .unwrap();
    assert_eq!(calls, [0]);
}

/// PostgreSQL waits for this program, which waits for the reader.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_stops_the_server() {
    let database = database();
    much(&database);
    let export = Export::new(Filter::new());
    let mut stream = export
        .stream(connect(&database).await, ExportFormat::Ndjson)
        .await
        .unwrap();
    let first = stream.next().await.unwrap().unwrap();
    assert!(first.len() < 1 << 17, "{}", first.len());
    let waits = "SELECT wait_event FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'";
    let conn = &mut database.connect();
    while rows(conn, waits) != ["ClientWrite"] {
        tokio::task::yield_now().await;
    }
    let rest = read(stream).await;
    assert!(rest.len() > 30_000_000, "{}", rest.len());
    assert!(rest.ends_with(b"\"count\":3000,\"truncated\":false}\n"));
}

#[tokio::test]
async fn a_reader_that_is_gone_gives_the_connection_back() {
    let database = database();
    much(&database);
    let pool = deadpool(&database, 1);
    let export = Export::new(Filter::new());
    let conn = pool.get().await.unwrap();
    let mut stream = export.stream(conn, ExportFormat::Csv).await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    insert(&mut pool.get().await.unwrap(), 0).await.unwrap();
}

#[tokio::test]
async fn an_error_before_the_first_row_is_the_error_of_the_call() {
    let database = Database::empty();
    let export = Export::new(Filter::new());
    let error = export
        .stream(connect(&database).await, ExportFormat::Csv)
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::SchemaMissing { .. }),
        "{error}"
    );
}

/// A socket that was closed.
struct Closed;

impl AsyncWrite for Closed {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_sink_that_fails_ends_the_export() {
    let database = database();
    much(&database);
    let conn: &mut AsyncPgConnection = &mut connect(&database).await;
    let export = Export::new(Filter::new());
    let error = export
        .write_async(conn, ExportFormat::Json, Closed)
        .await
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Export { .. }), "{error}");
    insert(conn, 0).await.unwrap();
}
