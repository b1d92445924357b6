use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};

/// Opens a connection, set up like any other of the benchmark.
pub(super) fn connect(url: &str) -> PgConnection {
    let mut conn = PgConnection::establish(url).expect("the server takes connections");
    prepare(&mut conn);
    conn
}

/// Asynchronous commits wake the WAL writer, each by a signal that costs more than the
/// commit. The server that is started for this does not sync to disk anyway.
pub(super) fn prepare(conn: &mut PgConnection) {
    conn.batch_execute("SET synchronous_commit = on")
        .expect("a session may");
}
