use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use diesel::PgConnection;
use threadline_tests::{run, value};

use super::Place;

const CHANGES: usize = 40_000;

/// The recorded values, as they are and erased; and what the erasure says of itself.
fn stored(conn: &mut PgConnection) -> (usize, usize, usize) {
    let mut count = |sql: &str| value(conn, sql).unwrap().parse::<usize>().unwrap();
    (
        count(
            "SELECT count(*) FROM threadline.ledger_changes AS c WHERE concat(c.changed_from, c.changed_to, c.row_data) ~ 'secret-'",
        ),
        count(
            "SELECT count(*) FROM threadline.ledger_changes AS c WHERE concat(c.changed_from, c.changed_to, c.row_data) ~ 'erased:'",
        ),
        count("SELECT coalesce(sum(e.changes), 0) FROM threadline.erasures AS e"),
    )
}

/// kill -9 of the program; the server goes on, and ends the batch or not.
#[test]
fn an_erasure_whose_program_is_killed_is_finished_by_another_run() {
    let (place, conn) = &mut Place::with_members().connected();
    run(
        conn,
        &format!(
            "INSERT INTO members VALUES (1, 'secret-0'), (2, 'other');
             DO $$ BEGIN FOR n IN 2..{CHANGES} LOOP UPDATE members SET email = 'secret-' || n WHERE id = 1; END LOOP; END $$"
        ),
    );
    run(conn, "SELECT threadline.post()");
    while stored(conn).0 < CHANGES {
        run(conn, "SELECT threadline.post()");
    }

    let mut amidst = 0;
    for round in 0..4 {
        let before = stored(conn).2;
        let erase: &[&str] = if round == 0 {
            &[
                "erase",
                "--subject",
                "members:1",
                "--reason",
                "request 31",
                "--yes",
            ]
        } else {
            &["erase", "--unfinished"]
        };
        let mut program = place.spawned(erase, Stdio::null);
        // In the middle: after the next batch, or at its end.
        let begun = Instant::now();
        while stored(conn).2 == before && program.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing is done");
            sleep(Duration::from_millis(1));
        }
        program.kill().unwrap();
        program.wait().unwrap();
        // The server may still be at work for the dead client.
        let at_work = "SELECT count(*) FROM pg_stat_activity WHERE query ~ 'threadline.erase' AND pid <> pg_backend_pid() AND datname = current_database()";
        while value(conn, at_work).as_deref() != Some("0") {
            sleep(Duration::from_millis(1));
        }
        let (left, erased, said) = stored(conn);
        // A batch was done as a whole, with what is said of it, or not at all.
        assert_eq!(erased, said, "round {round}");
        // Between two batches, the change at the border has one value of each.
        assert!(
            left + erased <= CHANGES + 1,
            "round {round}: {left} and {erased}"
        );
        amidst += u32::from(left > 0 && erased > 0);
    }
    assert!(amidst > 0, "no run was killed in the middle");

    place.done(&["erase", "--unfinished"]);
    let (left, erased, said) = stored(conn);
    assert_eq!((left, erased, said), (0, CHANGES, CHANGES));
    let erasures =
        "SELECT count(*), bool_and(e.ended_at IS NOT NULL) FROM threadline.erasures AS e";
    assert_eq!(threadline_tests::rows(conn, erasures), ["1 | true"]);
}
