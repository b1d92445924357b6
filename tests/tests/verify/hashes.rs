//! Values recorded as keyed hashes are compared by these.

use threadline_tests::{Database, run};

use super::found;

#[test]
fn a_value_written_bypassing_the_triggers_is_found_though_it_is_recorded_as_a_hash() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE people (id int PRIMARY KEY, ssn text, tags text[], born date);
         SELECT threadline.audit('people', hash => ARRAY['ssn', 'tags'], mask => ARRAY['born']);
         INSERT INTO people VALUES (1, '1', '{a}', '2000-01-01'), (2, '2', '{b}', '2000-01-01'), (3, NULL, NULL, NULL);
         UPDATE people SET ssn = '3', tags = '{c}', born = now()",
    );
    assert_eq!(found(conn), [""; 0]);
    let past = |sql: &str| {
        format!(
            "ALTER TABLE people DISABLE TRIGGER ALL; {sql};
             ALTER TABLE people ENABLE TRIGGER ALL; SELECT threadline.refresh('people')"
        )
    };
    run(conn, &past("UPDATE people SET ssn = '4' WHERE id = 1"));
    assert_eq!(found(conn), ["row-altered public.people"]);
    run(conn, &past("UPDATE people SET ssn = '3' WHERE id = 1"));
    assert_eq!(found(conn), [""; 0], "changed back");
    run(conn, &past("UPDATE people SET ssn = '4' WHERE id = 1"));
    run(conn, "UPDATE people SET ssn = '5'");
    assert_eq!(found(conn), ["chain-broken public.people"]);
}

#[test]
fn no_decision_and_no_loss_of_keys_is_taken_for_a_change() {
    let (_, conn) = &mut Database::with(
        r#"
        CREATE TABLE kinds (
            id int PRIMARY KEY, c char(4), n numeric, m numeric(10, 2), f float8, j json, jb jsonb, at timestamptz,
            xs int[], money money, bytes bytea, u uuid, flag boolean);
        SELECT threadline.audit('kinds', hash => '{c,n,m,f,j,jb,at,xs,money,bytes,u,flag}');
        INSERT INTO kinds VALUES
            (1, 'x', 1.50, 1.5, 0.1, '{"b": 1, "a": 2, "a": 3}', '{"b": 1.0}', now(), '{1,NULL}', 12.50, '\xDEADBEEF', gen_random_uuid(), true),
            (2, 'yy', 'NaN', 0, 'Infinity', '"\u0000"', '"text"', 'infinity', '{}', -1, '', NULL, false),
            (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
        UPDATE kinds SET n = n + 1, f = f * 3, money = 12.75, c = 'z', bytes = 'x', flag = NOT flag;
        UPDATE kinds SET id = id + 10;
        "#,
    );
    assert_eq!(found(conn), [""; 0]);
    let all = "{c,n,m,f,j,jb,at,xs,money,bytes,u,flag}";
    for sql in [
        format!("SELECT threadline.audit('kinds', mask => '{all}')"),
        format!("SELECT threadline.audit('kinds', hash => '{all}')"),
        "ALTER TABLE kinds ALTER m TYPE numeric(12, 4); SELECT threadline.refresh('kinds')"
            .to_owned(),
        "SELECT threadline.audit('kinds', plain => '{c}')".to_owned(),
        format!("SELECT threadline.audit('kinds', hash => '{all}')"),
        "DELETE FROM threadline.hash_keys".to_owned(),
        "SELECT threadline.refresh('kinds')".to_owned(),
        "ALTER TABLE kinds ALTER c TYPE text; SELECT threadline.refresh('kinds')".to_owned(),
    ] {
        run(conn, &sql);
        assert_eq!(found(conn), [""; 0], "{sql}");
        run(
            conn,
            "UPDATE kinds SET m = m + 1, c = 'a', at = now(), u = gen_random_uuid(); UPDATE kinds SET c = 'b'",
        );
        assert_eq!(found(conn), [""; 0], "{sql}");
    }
}
