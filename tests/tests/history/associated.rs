//! A record's history with the changes of the rows that referred to it at the time.

use diesel::prelude::*;
use threadline::{Audited, ErrorKind, History, Moved, Referring, TimelineEntry, purge, unmasked};
use threadline_tests::{Database, assert_contains, assert_value, pages_of, run, value};

use super::{User, users};

diesel::table! {
    posts (id) { id -> BigInt, user_id -> Nullable<BigInt>, title -> Text, }
}

#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = posts)]
struct Post {
    id: i64,
    #[allow(dead_code)]
    user_id: Option<i64>,
    #[allow(dead_code)]
    title: String,
}

const CLUB: &str = "
    CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL);
    CREATE TABLE posts (id bigint PRIMARY KEY DEFERRABLE, user_id bigint REFERENCES users ON UPDATE CASCADE ON DELETE CASCADE, title text NOT NULL);
";
const AUDIT: &str = "SELECT threadline.audit('users'), threadline.audit('posts')";

fn paths(with: &[&str]) -> Vec<Referring> {
    with.iter().map(|path| path.parse().unwrap()).collect()
}

/// Returns a line for each change, newest first: the operation, the row, and its
/// reference.
fn lines(entries: &[TimelineEntry]) -> Vec<String> {
    entries
        .iter()
        .map(
            |TimelineEntry {
                 change, references, ..
             }| {
                let key = change.key.as_ref().unwrap().as_object().unwrap();
                let key: Vec<_> = key.values().map(ToString::to_string).collect();
                let mut line = format!(
                    "{} {} {}",
                    change.operation,
                    change.table.as_deref().unwrap(),
                    key.join(",")
                );
                for reference in references {
                    line.push_str(&format!(" {}", reference.through));
                    match reference.moved {
                        Some(Moved::In) => line.push_str(" in"),
                        Some(Moved::Out) => line.push_str(" out"),
                        _ => {}
                    }
                }
                line
            },
        )
        .collect()
}

fn history(conn: &mut PgConnection, id: i64, with: &[&str]) -> Vec<String> {
    let entries = History::<User, _>::of_key(id).with(paths(with)).load(conn);
    lines(&entries.unwrap_or_else(|error| panic!("{error}")))
}

/// The same with everything in the journal and with everything posted.
#[track_caller]
fn assert_history(conn: &mut PgConnection, id: i64, with: &[&str], expected: &[&str]) {
    assert_eq!(history(conn, id, with), expected, "as it was posted");
    run(conn, "SELECT threadline.post_all()");
    assert_eq!(history(conn, id, with), expected, "posted");
}

fn refused(conn: &mut PgConnection, id: i64, with: &str) -> String {
    let error = History::<User, _>::of_key(id)
        .with(paths(&[with]))
        .load(conn)
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Reference { .. }),
        "{error:?}"
    );
    error.to_string()
}

#[test]
fn rows_belong_to_a_record_from_when_they_referred_to_it_until_they_ceased_to() {
    let (_, conn) = &mut Database::with(CLUB);
    // Older than the audit: known from the first change that shows it, or from the live
    // row.
    run(
        conn,
        "INSERT INTO users VALUES (7, 'a'), (42, 'b'), (9, 'c')",
    );
    run(
        conn,
        "INSERT INTO posts VALUES (1, 42, 'old'), (2, 7, 'old'), (3, 42, 'old'), (4, 9, 'old')",
    );
    run(conn, AUDIT);
    for sql in [
        "UPDATE posts SET title = 'older' WHERE id IN (1, 4)",
        "UPDATE posts SET title = 'of 7' WHERE id = 2",
        "UPDATE posts SET user_id = 42 WHERE id = 2",
        "UPDATE posts SET title = 'of 42' WHERE id = 2",
        "UPDATE posts SET user_id = 9 WHERE id = 2",
        "UPDATE posts SET title = 'of 9' WHERE id = 2",
        "INSERT INTO posts VALUES (6, 42, 'new'), (8, 9, 'other')",
        "UPDATE posts SET title = 'new' WHERE id IN (6, 8)",
        "UPDATE posts SET title = 'newer' WHERE id IN (6, 8)",
        "UPDATE users SET name = 'B' WHERE id = 42",
        "DELETE FROM posts WHERE id = 6",
        "INSERT INTO posts VALUES (6, 9, 'another one')",
    ] {
        run(conn, sql);
    }
    let expected = [
        "delete posts 6 posts.user_id",
        "update users 42",
        "update posts 6 posts.user_id",
        "insert posts 6 posts.user_id",
        "update posts 2 posts.user_id out",
        "update posts 2 posts.user_id",
        "update posts 2 posts.user_id in",
        "update posts 1 posts.user_id",
    ];
    assert_history(conn, 42, &["posts"], &expected);
    assert_history(conn, 42, &["posts.user_id"], &expected);
    assert_history(conn, 42, &["public.posts.user_id"], &expected);
    let user = users::table.find(42).first::<User>(conn).unwrap();
    let typed = user.history_with(conn, [Post::of(posts::user_id)]).unwrap();
    assert_eq!(lines(&typed), expected);
    let typed = user.history_with(conn, [Post::referring()]).unwrap();
    assert_eq!(lines(&typed), expected);
}

#[test]
fn a_record_is_followed_through_changes_of_its_key_and_of_those_of_its_rows() {
    let (_, conn) = &mut Database::with(CLUB);
    run(conn, AUDIT);
    for sql in [
        "INSERT INTO users VALUES (42, 'a')",
        "INSERT INTO posts VALUES (1, 42, 'first'), (2, 42, 'second')",
        "UPDATE posts SET id = id + 1",
        "UPDATE users SET id = 43 WHERE id = 42",
        "UPDATE posts SET title = 'third' WHERE id = 3",
        "INSERT INTO users VALUES (42, 'another')",
        "INSERT INTO posts VALUES (20, 42, 'of another')",
        "DELETE FROM users WHERE id = 43",
    ] {
        run(conn, sql);
    }
    let of_both = |conn: &mut PgConnection| {
        let mut gone = history(conn, 43, &["posts"]);
        gone[..3].sort();
        // The order within one statement is undefined.
        gone[4..8].sort();
        gone
    };
    let expected = [
        "delete posts 2 posts.user_id",
        "delete posts 3 posts.user_id",
        "delete users 43",
        "update posts 3 posts.user_id",
        "update posts 2 posts.user_id",
        "update posts 2 posts.user_id",
        "update posts 3 posts.user_id",
        "update posts 3 posts.user_id",
        "update users 43",
        "insert posts 2 posts.user_id",
        "insert posts 1 posts.user_id",
        "insert users 42",
    ];
    let mut found = of_both(conn);
    found[4..9].sort();
    let mut wanted: Vec<_> = expected.iter().map(ToString::to_string).collect();
    wanted[4..9].sort();
    assert_eq!(found, wanted);
    run(conn, "SELECT threadline.post_all()");
    let mut found = of_both(conn);
    found[4..9].sort();
    assert_eq!(found, wanted);
    // All changes under this key, as in a history without associations.
    assert!(history(conn, 42, &["posts"]).contains(&"insert posts 20 posts.user_id".to_owned()));
}

#[test]
fn pages_of_a_history_with_others_are_the_whole() {
    let (_, conn) = &mut Database::with(CLUB);
    run(conn, AUDIT);
    run(conn, "INSERT INTO users VALUES (42, 'a'), (9, 'b')");
    run(
        conn,
        "INSERT INTO posts SELECT n, 42, 'new' FROM generate_series(1, 5) AS n",
    );
    for turn in 0..6 {
        run(conn, &format!("UPDATE posts SET title = 'turn {turn}'"));
        run(
            conn,
            &format!("UPDATE users SET name = 'turn {turn}' WHERE id = 42"),
        );
        run(
            conn,
            "UPDATE posts SET user_id = CASE user_id WHEN 42 THEN 9 ELSE 42 END WHERE id = 3",
        );
        if turn == 3 {
            run(conn, "SELECT threadline.post_all()");
        }
    }
    let whole = History::<User, _>::of_key(42)
        .with(paths(&["posts"]))
        .load(conn)
        .unwrap();
    assert_eq!(whole.len(), 1 + 6 + 5 + 4 * 6 + 6 + 3);
    for limit in [1, 2, 7, 100] {
        let pages = pages_of(|next| {
            let query = History::<User, _>::of_key(42).with(paths(&["posts"]));
            query.limit(limit).after(next).unwrap().page(conn).unwrap()
        });
        assert!(pages.iter().all(|page| page.entries.len() <= limit));
        let paged: Vec<_> = pages.into_iter().flat_map(|page| page.entries).collect();
        assert_eq!(paged, whole);
    }
}

#[test]
fn rows_that_referred_to_such_rows_are_shown_along_a_path() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL);
         CREATE TABLE versions (id int PRIMARY KEY, user_id bigint REFERENCES users ON DELETE CASCADE, number text);
         CREATE TABLE dependencies (id int PRIMARY KEY, version_id int REFERENCES versions ON DELETE CASCADE, what text);
         SELECT threadline.audit('users'), threadline.audit('versions'), threadline.audit('dependencies')",
    );
    for sql in [
        "INSERT INTO users VALUES (1, 'serde'), (2, 'other')",
        "INSERT INTO versions VALUES (10, 1, '1.0'), (20, 2, '1.0')",
        "INSERT INTO dependencies VALUES (100, 10, 'a'), (200, 20, 'b')",
        "UPDATE dependencies SET what = 'c'",
        // It moves to the other one, with its dependent rows.
        "UPDATE versions SET user_id = 2 WHERE id = 10",
        "UPDATE dependencies SET what = 'd'",
        "UPDATE dependencies SET version_id = 10 WHERE id = 200",
        "UPDATE versions SET user_id = 1 WHERE id = 10",
        "UPDATE dependencies SET what = 'e' WHERE id = 200",
        "DELETE FROM users WHERE id = 1",
    ] {
        run(conn, sql);
    }
    let mut found = history(conn, 1, &["versions/dependencies"]);
    found[..4].sort();
    assert_eq!(
        found,
        [
            "delete dependencies 100 versions.user_id/dependencies.version_id",
            "delete dependencies 200 versions.user_id/dependencies.version_id",
            "delete users 1",
            "delete versions 10 versions.user_id",
            "update dependencies 200 versions.user_id/dependencies.version_id",
            "update versions 10 versions.user_id in",
            "update versions 10 versions.user_id out",
            "update dependencies 100 versions.user_id/dependencies.version_id",
            "insert dependencies 100 versions.user_id/dependencies.version_id",
            "insert versions 10 versions.user_id",
            "insert users 1",
        ]
    );
    run(conn, "SELECT threadline.post_all()");
    let twice = ["versions", "versions.user_id/dependencies.version_id"];
    let mut again = history(conn, 1, &twice);
    again[..4].sort();
    assert_eq!(again, found, "each change once, whatever the paths");
}

#[test]
fn a_row_that_refers_in_two_ways_is_shown_once_with_both() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, invited_by bigint REFERENCES users);
         CREATE TABLE reviews (id int PRIMARY KEY, author bigint REFERENCES users, editor bigint REFERENCES users);
         SELECT threadline.audit('users'), threadline.audit('reviews');
         INSERT INTO users VALUES (1, 'a', 1), (2, 'b', 1);
         INSERT INTO reviews VALUES (5, 1, 1);
         UPDATE reviews SET editor = 2",
    );
    assert_history(
        conn,
        1,
        &["reviews.author", "reviews.editor", "users.invited_by"],
        &[
            "update reviews 5 reviews.author reviews.editor out",
            "insert reviews 5 reviews.author reviews.editor",
            "insert users 2 users.invited_by",
            "insert users 1 users.invited_by",
        ],
    );
    assert_eq!(
        refused(conn, 1, "reviews"),
        "several foreign keys of reviews refer to users; name one: reviews.author, reviews.editor"
    );
}

#[test]
fn a_referring_column_is_found_under_its_former_names_and_in_a_renamed_table() {
    let (_, conn) = &mut Database::with(CLUB);
    run(conn, AUDIT);
    run(
        conn,
        "INSERT INTO users VALUES (42, 'a'), (9, 'b'); INSERT INTO posts VALUES (1, 42, 'a'), (2, 42, 'b')",
    );
    run(conn, "UPDATE posts SET title = 'c'");
    run(conn, "SELECT threadline.post_all()");
    run(
        conn,
        "ALTER TABLE posts RENAME user_id TO author; ALTER TABLE posts RENAME title TO user_id; SELECT threadline.refresh('posts')",
    );
    run(conn, "UPDATE posts SET user_id = '42'");
    run(conn, "UPDATE posts SET author = 9 WHERE id = 1");
    run(conn, "ALTER TABLE posts RENAME TO articles");
    run(conn, "UPDATE articles SET user_id = '42!'");
    run(conn, "ALTER TABLE articles RENAME author TO writer");
    run(conn, "UPDATE articles SET user_id = '43!'");
    run(conn, "DELETE FROM articles WHERE id = 2");
    let expected = [
        "delete articles 2 articles.writer",
        "update articles 2 articles.writer",
        "update articles 2 articles.writer",
        "update articles 1 articles.writer out",
        "update articles 2 articles.writer",
        "update articles 1 articles.writer",
        "update articles 2 articles.writer",
        "update articles 1 articles.writer",
        "insert articles 2 articles.writer",
        "insert articles 1 articles.writer",
        "insert users 42",
    ];
    let table_renamed = |found: Vec<String>| -> Vec<String> {
        found
            .into_iter()
            .map(|line| {
                line.replace("posts ", "articles ")
                    .replace("posts.", "articles.")
            })
            .collect()
    };
    for posted in [false, true] {
        if posted {
            run(conn, "SELECT threadline.post_all()");
        }
        for with in ["articles.writer", "articles.author", "articles"] {
            let found = table_renamed(history(conn, 42, &[with]));
            assert_eq!(found, expected, "{with}, posted {posted}");
        }
    }
    run(conn, "SELECT threadline.refresh('articles')");
    assert_eq!(history(conn, 42, &["articles.writer"]), expected);
}

#[test]
fn keys_of_several_columns_take_as_many() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE users (id bigint, tenant text, name text NOT NULL, PRIMARY KEY (tenant, id));
         CREATE TABLE posts (id bigint PRIMARY KEY, tenant text, user_id bigint, title text,
                             FOREIGN KEY (user_id, tenant) REFERENCES users (id, tenant));
         INSERT INTO users VALUES (1, 'a', 'x'), (2, 'a', 'y'), (1, 'b', 'z');
         INSERT INTO posts VALUES (1, 'a', 1, 'old'), (2, 'a', 2, 'old');
         SELECT threadline.audit('users'), threadline.audit('posts')",
    );
    for sql in [
        "UPDATE posts SET title = 'new'",
        "UPDATE posts SET user_id = 2 WHERE id = 1",
        "UPDATE posts SET title = 'newer'",
        "UPDATE posts SET user_id = 1 WHERE id = 2",
        "INSERT INTO posts VALUES (3, 'b', 1, 'of b'), (4, 'a', 1, 'of a')",
        "UPDATE posts SET tenant = 'a' WHERE id = 3",
        "UPDATE posts SET tenant = 'b' WHERE id = 4",
    ] {
        run(conn, sql);
    }
    #[derive(Debug, Audited, Identifiable)]
    #[diesel(table_name = tenants_users, primary_key(tenant, id))]
    #[allow(dead_code)]
    struct TenantsUser {
        id: i64,
        tenant: String,
        name: String,
    }
    for posted in [false, true] {
        if posted {
            run(conn, "SELECT threadline.post_all()");
        }
        for with in [
            "posts",
            "posts(tenant, user_id)",
            "public.posts(tenant,\"user_id\")",
        ] {
            let found = History::<TenantsUser, _>::of_key(("a", 1))
                .with(paths(&[with]))
                .load(conn)
                .unwrap();
            assert_eq!(
                lines(&found),
                [
                    "update posts 4 posts(tenant, user_id) out",
                    "update posts 3 posts(tenant, user_id) in",
                    "insert posts 4 posts(tenant, user_id)",
                    "update posts 2 posts(tenant, user_id) in",
                    "update posts 1 posts(tenant, user_id) out",
                    "update posts 1 posts(tenant, user_id)",
                ],
                "{with}"
            );
        }
    }
    let error = History::<TenantsUser, _>::of_key(("a", 1))
        .with(paths(&["posts.user_id"]))
        .load(conn)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "a record of users is known by 2 columns (tenant, id), and 'posts.user_id' names 1; name as many, in this order: posts(tenant, id)"
    );
}

diesel::table! {
    #[sql_name = "users"]
    tenants_users (tenant, id) { id -> BigInt, tenant -> Text, name -> Text, }
}

#[test]
fn references_that_cannot_be_followed_are_refused() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE users (id bigint PRIMARY KEY, name text UNIQUE);
         CREATE TABLE posts (id int PRIMARY KEY, user_id bigint REFERENCES users, masked bigint, secret bigint, hashed bigint, ignored bigint,
                             by_name text REFERENCES users (name));
         CREATE TABLE notes (id int PRIMARY KEY, name text REFERENCES users (name));
         CREATE TABLE bare (id int PRIMARY KEY, user_id bigint REFERENCES users);
         SELECT threadline.audit('users'), threadline.audit('notes'),
                threadline.audit('posts', mask => '{masked}', exclude => '{secret}', hash => '{hashed}', ignore => '{ignored}');
         INSERT INTO users VALUES (42, 'a')",
    );
    for (with, why) in [
        (
            "posts.masked",
            "the values of posts.masked are not recorded (masked), so the rows that referred to a record are unknown",
        ),
        (
            "posts.secret",
            "the values of posts.secret are not recorded (excluded), so the rows that referred to a record are unknown",
        ),
        (
            "posts.hashed",
            "posts.hashed is recorded as keyed hashes, which do not reveal the value; rows cannot be found by it",
        ),
        (
            "posts.ignored",
            "by the policy of posts, not every change of ignored is recorded, so the rows that referred to a record are unknown",
        ),
        ("posts.user", "table posts has no column \"user\""),
        (
            "notes",
            "no foreign key of notes refers to the primary key of users; name the column: notes.column",
        ),
        (
            "bare",
            "no table of the name bare is or was audited (in 'bare'); audited are public.notes, public.posts, public.users",
        ),
        (
            "comments.user_id",
            "no table of the name comments is or was audited (in 'comments.user_id'); audited are public.notes, public.posts, public.users",
        ),
        (
            "posts(user_id, id)",
            "a record of users is known by 1 columns (id), and 'posts(user_id, id)' names 2; name as many, in this order: posts(id)",
        ),
        (
            "posts user_id",
            "'posts user_id' names no reference; give it as in SQL: posts, posts.user_id, app.posts.user_id, posts(tenant, author)",
        ),
        (
            "a.b.c.d.e",
            "no table of the name a.b.c.d is or was audited (in 'a.b.c.d.e'); audited are public.notes, public.posts, public.users",
        ),
    ] {
        assert_eq!(refused(conn, 42, with), why, "{with}");
    }
    assert!("posts//notes".parse::<Referring>().is_err());
    // A column that is masked now, also for a role that may read earlier values.
    run(
        conn,
        "INSERT INTO posts (id, user_id) VALUES (1, 42); SELECT threadline.audit('posts', mask => '{user_id,masked,secret,hashed}')",
    );
    assert!(refused(conn, 42, "posts").contains("(masked)"));
    let error = unmasked(conn, "a test", |conn| {
        History::<User, _>::of_key(42)
            .with(paths(&["posts"]))
            .load(conn)
    });
    assert!(error.unwrap_err().to_string().contains("(masked)"));
}

#[test]
fn redacted_columns_stay_redacted_in_the_history_of_another_record() {
    let (_, conn) = &mut Database::with(CLUB);
    run(conn, AUDIT);
    run(
        conn,
        "INSERT INTO users VALUES (42, 'a'); INSERT INTO posts VALUES (1, 42, 'secret plan')",
    );
    run(conn, "SELECT threadline.audit('posts', mask => '{title}')");
    let with = || History::<User, _>::of_key(42).with(paths(&["posts"]));
    let shown =
        |entries: &[TimelineEntry]| entries[0].change.row_data.as_ref().unwrap()["title"].clone();
    let page = with().page(conn).unwrap();
    assert_eq!(shown(&page.entries), "***");
    assert_eq!(page.entries[0].change.masked, ["title"]);
    let page = unmasked(conn, "a test", |conn| with().page(conn)).unwrap();
    assert_eq!(shown(&page.entries), "secret plan");
}

#[test]
fn a_column_masked_when_recorded_gives_no_reference() {
    let (_, conn) = &mut Database::new().connected();
    // Key 0 looks like the placeholder of a number.
    run(conn, CLUB);
    run(conn, "INSERT INTO users VALUES (0, 'zero'), (42, 'a')");
    run(
        conn,
        "SELECT threadline.audit('users'), threadline.audit('posts', mask => '{user_id}')",
    );
    run(conn, "INSERT INTO posts VALUES (1, 42, 'a'), (2, 42, 'a')");
    run(conn, "UPDATE posts SET title = 'b'");
    run(
        conn,
        "SELECT threadline.audit('posts', plain => '{user_id}')",
    );
    run(conn, "UPDATE posts SET title = 'c'");
    run(conn, "UPDATE posts SET user_id = 0 WHERE id = 1");
    assert_history(conn, 0, &["posts"], &["update posts 1 posts.user_id in"]);
    // Known from their insert, a later change and the live row.
    assert_history(
        conn,
        42,
        &["posts"],
        &[
            "update posts 1 posts.user_id out",
            "update posts 2 posts.user_id",
            "update posts 1 posts.user_id",
            "update posts 2 posts.user_id",
            "update posts 1 posts.user_id",
            "insert posts 2 posts.user_id",
            "insert posts 1 posts.user_id",
        ],
    );
}

#[test]
fn rows_of_partitions_belong_to_their_table_and_those_of_children_do_not() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL);
         CREATE TABLE posts (id int, user_id bigint REFERENCES users, PRIMARY KEY (id)) PARTITION BY RANGE (id);
         CREATE TABLE posts_low PARTITION OF posts FOR VALUES FROM (0) TO (100);
         CREATE TABLE posts_high PARTITION OF posts FOR VALUES FROM (100) TO (200);
         CREATE TABLE notes (id int PRIMARY KEY, user_id bigint);
         CREATE TABLE long_notes () INHERITS (notes);
         INSERT INTO users VALUES (42, 'a'), (9, 'b');
         INSERT INTO posts VALUES (1, 42);
         INSERT INTO notes VALUES (1, 42);
         INSERT INTO long_notes VALUES (2, 42);
         SELECT threadline.audit('users'), threadline.audit('posts'), threadline.audit('notes');
         INSERT INTO posts VALUES (101, 42);
         UPDATE posts SET id = 102 WHERE id = 1;
         UPDATE posts_high SET user_id = 9 WHERE id = 101;
         UPDATE ONLY notes SET id = 3;
         UPDATE long_notes SET id = 4",
    );
    assert_history(
        conn,
        42,
        &["posts", "notes.user_id"],
        &[
            "update notes 3 notes.user_id",
            "update posts 101 posts.user_id out",
            // For PostgreSQL, a row that moves to another partition is deleted and
            // inserted.
            "insert posts 102 posts.user_id",
            "delete posts 1 posts.user_id",
            "insert posts 101 posts.user_id",
        ],
    );
}

#[test]
fn an_associated_history_after_a_purge_shows_the_remaining_changes() {
    let (_, conn) = &mut Database::with(CLUB);
    run(
        conn,
        "SELECT threadline.audit('users', keep => '1 year'), threadline.audit('posts', keep => '1 year')",
    );
    run(
        conn,
        "INSERT INTO users VALUES (42, 'a'), (9, 'b'); INSERT INTO posts VALUES (1, 42, 'a'), (2, 9, 'a'), (3, 42, 'a')",
    );
    run(conn, "SELECT threadline.post_all()");
    run(
        conn,
        "UPDATE threadline.ledger_transactions SET occurred_at = occurred_at - interval '2 years', opened_at = opened_at - interval '2 years';
         UPDATE threadline.ledger_changes SET captured_at = captured_at - interval '2 years';
         UPDATE threadline.audited_tables SET audited_since = audited_since - interval '3 years'",
    );
    run(conn, "UPDATE posts SET title = 'b'");
    run(conn, "DELETE FROM posts WHERE id = 3");
    run(conn, "SELECT threadline.post_all()");
    purge(conn).unwrap();
    assert_value(conn, "SELECT count(*) FROM threadline.kept_images", "5");
    assert_history(
        conn,
        42,
        &["posts"],
        &[
            "delete posts 3 posts.user_id",
            "update posts 3 posts.user_id",
            "update posts 1 posts.user_id",
        ],
    );
}

#[test]
fn rows_that_went_without_a_record_of_each_end_with_the_truncate() {
    let (_, conn) = &mut Database::with(CLUB);
    run(conn, AUDIT);
    run(
        conn,
        "UPDATE threadline.audited_tables SET truncate_limit = 1",
    );
    run(
        conn,
        "INSERT INTO users VALUES (42, 'a'), (9, 'b'); INSERT INTO posts VALUES (1, 42, 'a'), (2, 42, 'a')",
    );
    run(conn, "TRUNCATE posts");
    run(conn, "INSERT INTO posts VALUES (1, 9, 'another')");
    run(conn, "UPDATE posts SET title = 'b'");
    assert_history(
        conn,
        42,
        &["posts"],
        &[
            "insert posts 2 posts.user_id",
            "insert posts 1 posts.user_id",
            "insert users 42",
        ],
    );
    // A dropped table is found under its name.
    run(conn, "DROP TABLE posts");
    assert_history(
        conn,
        42,
        &["posts.user_id"],
        &[
            "insert posts 2 posts.user_id",
            "insert posts 1 posts.user_id",
            "insert users 42",
        ],
    );
}

/// PostgreSQL 18 has keys of periods. A row refers to a part of the period, so that it does not
/// have the key.
#[test]
fn rows_that_refer_to_a_period_are_not_looked_for_under_its_key() {
    let (_, conn) = &mut Database::new().connected();
    let version = value(conn, "SELECT current_setting('server_version_num')").unwrap();
    if version.parse::<i32>().unwrap() < 180_000 {
        return;
    }
    run(
        conn,
        "CREATE TABLE rates (name int4range, valid daterange, PRIMARY KEY (name, valid WITHOUT OVERLAPS));
         CREATE TABLE uses (id int PRIMARY KEY, rate int4range, day daterange, FOREIGN KEY (rate, PERIOD day) REFERENCES rates (name, PERIOD valid));
         SELECT threadline.audit('rates'), threadline.audit('uses');
         INSERT INTO rates VALUES ('[1,2)', '[2026-01-01,2027-01-01)');
         INSERT INTO uses VALUES (7, '[1,2)', '[2026-02-01,2026-03-01)')",
    );
    let key = ["[1,2)", "[2026-01-01,2027-01-01)"].map(str::to_owned);
    let history = History::by_name("rates".to_owned(), key.into());
    let error = history.with(paths(&["uses"])).load(conn).unwrap_err();
    let error = error.to_string();
    assert_contains(
        &error,
        "no foreign key of uses refers to the primary key of rates",
    );
}
