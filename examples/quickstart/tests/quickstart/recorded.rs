//! The operations of the club are recorded with their actors and without secrets.

use diesel::prelude::*;
use quickstart::{DbConnection, club};
use threadline::testing::{
    Recorded, action, assert_recorded, context, delete, fixtures, insert, recorded, update,
};
use threadline_tests::Database;

/// Opens a connection whose work is never committed.
fn connect(database: &Database) -> DbConnection {
    let mut conn = quickstart::open(&database.url()).unwrap().get().unwrap();
    conn.begin_test_transaction().unwrap();
    conn
}

/// Returns what `work` records under an actor.
fn under<T>(
    conn: &mut DbConnection,
    actor: &str,
    work: impl FnOnce(&mut DbConnection) -> QueryResult<T>,
) -> Recorded<T> {
    context(actor).scope(|| recorded(conn, |conn| work(conn).unwrap()))
}

#[test]
fn each_step_of_a_membership_is_recorded() {
    let database = Database::empty();
    let conn = &mut connect(&database);

    let joined = under(conn, "anonymous", |conn| {
        club::join(conn, "Ada Byron", "ada@example.com", "argon2$s3cr3t")
    });
    let id = joined.value.id;
    assert_recorded!(
        joined,
        [insert("members")
            .key(id)
            .set("name", "Ada Byron")
            .masked("email")
            .without("password_hash")
            .by("anonymous")]
    );

    let appointed = under(conn, "admin:grace", |conn| {
        club::appoint(conn, id, "treasurer", "elected")
    });
    assert_recorded!(
        appointed,
        [
            update("members", id)
                .was("role", "member")
                .set("role", "treasurer")
                .by("admin:grace"),
            action("member.role_changed")
                .reason("elected")
                .by("admin:grace"),
        ]
    );

    let recovered = under(conn, "admin:grace", |conn| {
        club::recover(conn, id, "countess@example.com", "argon2$s3cr3t-2")
    });
    assert_recorded!(recovered, [update("members", id).masked("email")]);
}

#[test]
fn payments_go_with_their_member_and_never_without_an_actor() {
    let database = Database::empty();
    let conn = &mut connect(&database);
    let (ada, payment) = fixtures(conn, |conn| {
        let ada = club::join(conn, "Ada", "ada@example.com", "argon2$s3cr3t")?;
        let payment = club::pay(conn, ada.id, 2500, "fee 2026")?;
        Ok::<_, diesel::result::Error>((ada, payment))
    })
    .unwrap();

    let unpaid = recorded(conn, |conn| club::pay(conn, ada.id, 1, "nobody's money"));
    assert_recorded!(unpaid, []);
    assert!(threadline::is_actor_required(&unpaid.value.unwrap_err()));

    let left = under(conn, "user:1", |conn| club::leave(conn, ada.id));
    assert_recorded!(
        left,
        threadline::testing::in_any_order([
            delete("members", ada.id).by("user:1"),
            delete("payments", payment.id)
                .was("cents", 2500)
                .by("user:1"),
        ])
    );
}
