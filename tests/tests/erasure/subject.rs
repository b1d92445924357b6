use serde_json::Value;
use threadline::{ActorRef, AuditContext, AuditExt, Erasure, Hold, SubjectExport};
use threadline_tests::{assert_contains, assert_contains_all, run};

use crate::jane_and_bob;

fn exported(conn: &mut diesel::PgConnection, export: SubjectExport) -> Vec<Value> {
    let mut out = vec![];
    let lines = export.write(conn, &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    let out: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let end = out.last().unwrap();
    assert_eq!(
        (end["kind"].as_str(), end["count"].as_u64()),
        (Some("end"), Some(lines))
    );
    assert_eq!(out.len() as u64, lines + 1);
    out
}

/// Jane pays the plan of a person under a request, with an action; then that person is held.
fn pay_and_hold(conn: &mut diesel::PgConnection, request: &str, plan: &str, person: &str) {
    let context = AuditContext::builder(ActorRef::user("42").unwrap())
        .request_id(request)
        .build()
        .unwrap();
    conn.audited_transaction(&context, |conn| {
        run(
            conn,
            &format!("UPDATE users SET plan = '{plan}' WHERE id = {person}"),
        );
        threadline::record_action(conn, threadline::Action::new("plan.paid").reason("a gift"))?;
        Ok::<_, threadline::Error>(())
    })
    .unwrap();
    let _ = Hold::new("lawsuit 17")
        .record("users", person)
        .place(conn)
        .unwrap();
}

fn of_kind<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["kind"] == kind).collect()
}

#[test]
fn all_that_is_on_record_of_somebody_and_nothing_of_others() {
    let (_, conn) = &mut jane_and_bob();
    pay_and_hold(conn, "r-1", "bob paid", "43");
    for posted in [false, true] {
        if posted {
            run(conn, "SELECT threadline.post()");
        }
        let lines = exported(
            conn,
            SubjectExport::of("users", "42").actor(ActorRef::user("42").unwrap()),
        );
        let text = serde_json::to_string(&lines).unwrap();
        assert_contains_all(
            &text,
            &[
                "jane@a",
                "jane@b",
                "jane street 1",
                "jane street 2",
                "jane street 5",
                "1990-01-01",
                "Basel",
            ],
        );
        assert!(!text.contains("bob"), "{text}");
        assert_eq!(of_kind(&lines, "change").len(), 9);
        assert_eq!(of_kind(&lines, "transaction")[0]["request_id"], "r-1");
        assert_eq!(of_kind(&lines, "action")[0]["reason"], "a gift");
        assert!(of_kind(&lines, "hold").is_empty());

        let lines = exported(conn, SubjectExport::of("users", "43"));
        let text = serde_json::to_string(&lines).unwrap();
        assert_contains_all(
            &text,
            &["bob@a", "bob street 3", "bob street 4", "bob paid"],
        );
        assert!(!text.contains("jane"), "{text}");
        assert_eq!(of_kind(&lines, "hold")[0]["reason"], "lawsuit 17");
    }
    Erasure::of("users", "42", "request 31")
        .erase(conn)
        .unwrap();
    let lines = exported(conn, SubjectExport::of("users", "42"));
    assert_eq!(of_kind(&lines, "erasure")[0]["reason"], "request 31");
    assert_eq!(of_kind(&lines, "change").len(), 9);
}

#[test]
fn redacted_values_are_hidden_in_the_export_of_a_subject() {
    let (_, conn) = &mut jane_and_bob();
    run(
        conn,
        "SELECT threadline.audit('users', mask => ARRAY['email'], personal => ARRAY['email', 'born'])",
    );
    let lines = exported(conn, SubjectExport::of("users", "42"));
    let text = serde_json::to_string(&lines).unwrap();
    assert!(text.contains("***") && !text.contains("jane@"), "{text}");
    let error = SubjectExport::of("user", "42")
        .write(conn, vec![])
        .unwrap_err()
        .to_string();
    assert_contains(&error, "user");
}

/// The columns of an export, and what has none of them as JSON.
#[test]
fn the_same_as_csv_in_which_no_cell_is_a_formula() {
    let (_, conn) = &mut jane_and_bob();
    run(conn, "INSERT INTO addresses VALUES (9, 42, 'x', 'Bern')");
    pay_and_hold(conn, "=cmd()", "paid", "42");
    let person = || SubjectExport::of("users", "42").actor(ActorRef::user("42").unwrap());
    let lines = exported(conn, person());

    let mut out = vec![];
    let count = person().csv().write(conn, &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    let rows = cells(&out);
    assert_eq!(rows.len() as u64, count + 2);
    let header = &rows[0];
    let mut whole = vec![];
    threadline::Export::new(threadline::Filter::new())
        .with_actions()
        .limit(0)
        .write(conn, threadline::ExportFormat::Csv, &mut whole)
        .unwrap();
    let whole = &cells(&String::from_utf8(whole).unwrap())[0];
    assert_eq!(header[0], "kind");
    assert_eq!(&header[1..header.len() - 1], &whole[..]);
    assert_eq!(header.last().unwrap(), "record");

    let cell = |row: &[String], column: &str| {
        row[header.iter().position(|name| name == column).unwrap()].clone()
    };
    for (row, line) in rows[1..].iter().zip(&lines) {
        assert_eq!(row.len(), header.len());
        assert_eq!(cell(row, "kind"), line["kind"].as_str().unwrap());
        match cell(row, "kind").as_str() {
            "change" => {
                assert_eq!(cell(row, "change_id"), line["id"].to_string());
                for image in ["changed_from", "changed_to", "row_data"] {
                    let json = cell(row, image);
                    let value: Value = if json.is_empty() {
                        Value::Null
                    } else {
                        serde_json::from_str(&json).unwrap()
                    };
                    assert_eq!(value, line[image]);
                }
            }
            "transaction" => assert_eq!(cell(row, "request_id"), "'=cmd()"),
            "action" => {
                assert_eq!(cell(row, "action_names"), "plan.paid");
                assert!(cell(row, "actions").contains("a gift"));
            }
            "hold" => assert!(cell(row, "record").contains("lawsuit 17")),
            "end" => assert!(cell(row, "record").contains(&format!("\"count\":{count}"))),
            other => panic!("{other}"),
        }
    }
    for kind in ["change", "transaction", "action", "hold", "end"] {
        assert!(!of_kind(&lines, kind).is_empty(), "{kind}");
    }
}

/// Returns the cells of a sheet.
fn cells(csv: &str) -> Vec<Vec<String>> {
    let mut rows = vec![];
    let (mut row, mut cell, mut quoted) = (vec![], String::new(), false);
    let mut rest = csv.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '"' if quoted && rest.peek() == Some(&'"') => {
                rest.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            char => cell.push(char),
        }
    }
    rows
}
