//! A history is empty only if there were no changes.

use threadline::{Audited, ErrorKind, History};
use threadline_tests::notes::Note;
use threadline_tests::{Database, run};

#[test]
fn of_a_table_that_was_never_audited_it_is_an_error() {
    let (_, conn) = &mut Database::new().connected();
    let error = Note::history_of(conn, 1).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NoSuchTable { .. }),
        "{error}"
    );
    run(
        conn,
        "CREATE TABLE notes (id int PRIMARY KEY, body text NOT NULL); INSERT INTO notes VALUES (1, 'a')",
    );
    for error in [
        Note::history_of(conn, 1).unwrap_err(),
        Note {
            id: 1,
            body: String::new(),
        }
        .history(conn)
        .unwrap_err(),
        Note::blame_of(conn, 1).unwrap_err(),
        Note::versions_of(conn, 1).unwrap_err(),
        History::<Note, _>::of_key(1).page(conn).unwrap_err(),
    ] {
        assert!(
            matches!(error.kind(), ErrorKind::NotAudited { .. }),
            "{error}"
        );
    }
    run(conn, "SELECT threadline.audit('notes')");
    assert!(Note::history_of(conn, 1).unwrap().is_empty());
    assert!(Note::versions_of(conn, 1).unwrap().is_empty());
    run(
        conn,
        "UPDATE notes SET body = 'b'; SELECT threadline.unaudit('notes')",
    );
    // Recorded changes stay readable.
    assert_eq!(Note::history_of(conn, 1).unwrap().len(), 1);
    assert!(Note::history_of(conn, 2).unwrap().is_empty());
    run(conn, "DROP TABLE notes");
    assert_eq!(Note::history_of(conn, 1).unwrap().len(), 1);
}
