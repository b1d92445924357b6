use diesel::PgConnection;
use threadline::Erasure;
use threadline_tests::{Database, Dice, rows, run, seeds};

use crate::audit_contents;

/// Types of the key of `users`, and of the column that names it. Both hold small numbers.
const TYPES: [(&str, &str); 5] = [
    ("int", "int"),
    ("numeric(10,2)", "numeric(10,2)"),
    ("char(6)", "char(6)"),
    ("bigint", "text"),
    ("text", "text"),
];

/// Creates the tables of [`crate::people`], with a generated column and keys of these types.
fn people(key_type: &str, named_type: &str) -> (Database, PgConnection) {
    Database::with(&format!(
        "CREATE TABLE users (id {key_type} PRIMARY KEY, email text NOT NULL, born date, plan text NOT NULL,
             shown text GENERATED ALWAYS AS (lower(email)) STORED);
         CREATE TABLE addresses (id int PRIMARY KEY, user_id {named_type}, street text NOT NULL, city text NOT NULL);
         SELECT threadline.audit('users', personal => ARRAY['email', 'born']);
         SELECT threadline.audit('addresses', personal => ARRAY['street'], subject => '{{\"user_id\": \"users\"}}');"
    ))
}

/// The present names of columns.
struct Names {
    email: String,
    plan: String,
    user_id: String,
    street: String,
    city: String,
    count: usize,
}

impl Names {
    fn new() -> Self {
        let [email, plan, user_id, street, city] =
            ["email", "plan", "user_id", "street", "city"].map(str::to_owned);
        Self {
            email,
            plan,
            user_id,
            street,
            city,
            count: 0,
        }
    }

    /// Renames a column, or exchanges the names of two. The audit is told at once, or later.
    fn rename(&mut self, conn: &mut PgConnection, dice: &mut Dice) {
        run(
            conn,
            "SELECT threadline.refresh('users'); SELECT threadline.refresh('addresses')",
        );
        self.count += 1;
        let new = format!("column{}", self.count);
        let (table, one, other) = match dice.below(5) {
            0 => ("users", &mut self.email, &mut self.plan),
            1 => ("users", &mut self.plan, &mut self.email),
            2 => ("addresses", &mut self.street, &mut self.city),
            3 => ("addresses", &mut self.user_id, &mut self.street),
            _ => ("addresses", &mut self.user_id, &mut self.city),
        };
        run(conn, &format!("ALTER TABLE {table} RENAME {one} TO {new}"));
        if dice.below(2) == 0 {
            run(
                conn,
                &format!(
                    "ALTER TABLE {table} RENAME {other} TO {one}; ALTER TABLE {table} RENAME {new} TO {other}"
                ),
            );
            std::mem::swap(one, other);
        } else {
            *one = new;
        }
        if dice.below(2) == 0 {
            run(conn, &format!("SELECT threadline.refresh('{table}')"));
        }
    }
}

/// Makes some writes in one transaction. Every value names its person, and is written again
/// when a row moves from one to another: `p3-…` is of users:3.
fn write(conn: &mut PgConnection, dice: &mut Dice, names: &Names) {
    let Names {
        email,
        plan,
        user_id,
        street,
        city,
        ..
    } = names;
    let mut sql = "BEGIN;".to_owned();
    for _ in 0..=dice.below(4) {
        let (user, row, n) = (dice.below(4), dice.below(10), dice.below(1000));
        sql += &match dice.below(9) {
            0 | 1 => format!(
                "INSERT INTO users VALUES ('{user}', 'p{user}-mail{n}', '1990-01-01', 'plan{n}') ON CONFLICT (id) DO UPDATE SET {email} = 'p{user}-mail{n}';"
            ),
            2 => format!("UPDATE users SET {plan} = 'plan{n}' WHERE id = '{user}';"),
            3 => format!("DELETE FROM users WHERE id = '{user}';"),
            4 | 5 => format!(
                "INSERT INTO addresses VALUES ({row}, '{user}', 'p{user}-street{n}', 'city{n}') ON CONFLICT (id) DO UPDATE SET {user_id} = '{user}', {street} = 'p{user}-street{n}';"
            ),
            6 => format!("UPDATE addresses SET {city} = 'city{n}' WHERE id = {row};"),
            7 => format!(
                "UPDATE addresses SET {street} = 'p' || left({user_id}::text, 1) || '-street{n}' WHERE id = {row};"
            ),
            8 if n % 3 == 0 => format!(
                "UPDATE addresses SET id = {n} % 10 WHERE id = {row} AND NOT EXISTS (SELECT FROM addresses AS a WHERE a.id = {n} % 10);"
            ),
            8 if n % 3 == 1 => format!(
                "UPDATE addresses SET id = -1 WHERE id = {row}; UPDATE addresses SET id = {row} WHERE id = {n} % 10; UPDATE addresses SET id = {n} % 10 WHERE id = -1;"
            ),
            _ => format!("DELETE FROM addresses WHERE id = {row};"),
        };
    }
    run(conn, &format!("{sql} COMMIT"));
}

/// Returns every query result, with the values of users:2 as the erasure leaves them.
fn answers(conn: &mut PgConnection, person: &str) -> Vec<String> {
    let mut answers = rows(
        conn,
        "SELECT c.id, c.transaction_id, c.captured_at, table_name, op, key, previous_key, changed_from, changed_to, row_data, actor_id
         FROM threadline.changes AS c WHERE table_name IN ('users', 'addresses') ORDER BY c.id",
    );
    answers.extend(rows(
        conn,
        "SELECT at.captured_at, r.record_key, r.image
         FROM (SELECT DISTINCT c.captured_at FROM threadline.audit_changes AS c) AS at,
              LATERAL (SELECT * FROM threadline.rows_as_of('users', at.captured_at) UNION ALL SELECT * FROM threadline.rows_as_of('addresses', at.captured_at)) AS r
         ORDER BY at.captured_at, r.record_key, r.image::text",
    ));
    let mut erased = String::new();
    for line in answers {
        let mut parts = line.split('"').map(str::to_owned).collect::<Vec<_>>();
        for part in &mut parts {
            if part.starts_with(person) {
                *part = "erased:1".to_owned();
            }
        }
        erased += &parts.join("\"");
        erased.push('\n');
    }
    // Including a person whose birthday is erased.
    erased.lines().map(str::to_owned).collect()
}

/// For any writes, of any person and in any order: after the erasure, nothing that the
/// audit stores has a value of the person, and every other query result is unchanged.
#[test]
fn nothing_of_the_person_is_left_and_everything_else_is() {
    for seed in seeds(0..4) {
        let dice = &mut Dice::new(seed);
        let (key_type, named_type) = TYPES[usize::try_from(seed).unwrap() % TYPES.len()];
        let (database, conn) = &mut people(key_type, named_type);
        let names = &mut Names::new();
        let (renames, renames_meanwhile) = (dice.below(3) > 0, dice.below(3) == 0);
        for _ in 0..60 {
            write(conn, dice, names);
            if renames && dice.below(12) == 0 {
                names.rename(conn, dice);
            }
            if dice.below(20) == 0 {
                run(conn, "SELECT threadline.post()");
            }
        }
        // The application deletes first.
        run(
            conn,
            &format!(
                "DELETE FROM users WHERE id = '2'; DELETE FROM addresses WHERE {} = '2'",
                names.user_id
            ),
        );
        while threadline::post(conn).unwrap() > 0 {}
        let before = answers(conn, "p2-");
        let others: Vec<_> = contents_of(&audit_contents(database), &["p0-", "p1-", "p3-"]);
        let id = threadline_tests::value(
            conn,
            "SELECT threadline.begin_erasure('users', '2', 'request')",
        )
        .unwrap();
        let batch = 1 + dice.below(40);
        while threadline_tests::value(conn, &format!("SELECT threadline.erase({id}, {batch})"))
            .as_deref()
            != Some("0")
        {
            if dice.below(3) == 0 {
                // Other persons continue.
                run(
                    conn,
                    &format!("UPDATE users SET {0} = {0} WHERE id <> '2'", names.plan),
                );
            }
            if renames_meanwhile && dice.below(3) == 0 {
                names.rename(conn, dice);
            }
        }
        let left = audit_contents(database);
        assert!(
            !left.contains("p2-"),
            "seed {seed}: {}",
            left.lines().find(|line| line.contains("p2-")).unwrap()
        );
        assert_eq!(
            contents_of(&left, &["p0-", "p1-", "p3-"]),
            others,
            "seed {seed}"
        );
        // Tables as of an instant have today's names.
        let after: Vec<_> = if renames_meanwhile {
            before.clone()
        } else {
            answers(conn, "p2-")
        };
        for (before, after) in before.iter().zip(&after) {
            // The birthday is erased as well; its text does not show the person.
            let unborn = |line: &str| line.replace("\"erased:1\"", "\"1990-01-01\"");
            assert_eq!(unborn(before), unborn(after), "seed {seed}");
        }
        assert_eq!(before.len(), after.len(), "seed {seed}");
        assert_eq!(
            rows(conn, "SELECT * FROM threadline.erasure_drift()"),
            [""; 0],
            "seed {seed}"
        );
        assert_eq!(
            Erasure::of("users", "2", "request")
                .erase(conn)
                .unwrap()
                .changes,
            0,
            "seed {seed}"
        );
    }
}

/// Returns the values with this prefix.
fn contents_of(contents: &str, beginnings: &[&str]) -> Vec<String> {
    let mut found: Vec<_> = contents
        .split(['"', ',', '(', ')', ' ', '\n'])
        .filter(|text| {
            beginnings
                .iter()
                .any(|beginning| text.starts_with(beginning))
        })
        .map(str::to_owned)
        .collect();
    found.sort();
    found
}
