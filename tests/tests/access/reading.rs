//! A reader gets every answer, with the rights of a reader alone.

use diesel::prelude::*;
use threadline::{Audited, Filter, History, models, timeline};
use threadline_tests::{assert_value, now, run};

use super::Protected;

diesel::table! {
    clinic.patients (id) {
        id -> Integer,
        ssn -> Text,
        name -> Text,
    }
}

diesel::table! {
    clinic.beds (ward, number) {
        ward -> Text,
        number -> Integer,
        patient_id -> Nullable<Integer>,
    }
}

#[derive(Queryable, Selectable, Identifiable, Debug, PartialEq, Audited)]
#[diesel(table_name = patients, check_for_backend(diesel::pg::Pg))]
#[audited(hash(ssn))]
struct Patient {
    id: i32,
    ssn: String,
    name: String,
}

#[derive(Queryable, Selectable, Identifiable, Debug, PartialEq, Audited)]
#[diesel(table_name = beds, primary_key(ward, number), check_for_backend(diesel::pg::Pg))]
struct Bed {
    ward: String,
    number: i32,
    patient_id: Option<i32>,
}

#[test]
fn a_reader_gets_every_answer() {
    let protected = &mut Protected::new();
    let (app, auditor) = (protected.role("app"), protected.role("auditor"));
    run(
        &mut protected.admin,
        &format!("CREATE SCHEMA clinic AUTHORIZATION {app}"),
    );
    let conn = &mut protected.session("app");
    run(
        conn,
        "CREATE TABLE clinic.patients (id int PRIMARY KEY, ssn text NOT NULL, name text NOT NULL);
         CREATE TABLE clinic.beds (ward text, number int, patient_id int REFERENCES clinic.patients, PRIMARY KEY (ward, number));
         SELECT threadline.audit('clinic.patients', hash => '{ssn}'), threadline.audit('clinic.beds');
         INSERT INTO clinic.patients VALUES (1, '123-45-6789', 'Ada');
         INSERT INTO clinic.beds VALUES ('a', 7, NULL);
         UPDATE clinic.patients SET name = 'Ada Lovelace';
         UPDATE clinic.beds SET patient_id = 1",
    );
    // Protecting again gives readers what they need to find the tables of a new schema.
    protected.protect();
    run(
        conn,
        &format!("GRANT SELECT ON clinic.patients, clinic.beds TO {auditor}"),
    );

    let reader = &mut protected.session("auditor");
    let then = now(reader);
    assert_eq!(Patient::history_of(reader, 1).unwrap().len(), 2);
    assert_eq!(Bed::history_of(reader, ("a", 7)).unwrap().len(), 2);
    for (table, key, changes) in [
        ("clinic.patients", vec!["1".to_owned()], 2),
        ("clinic.beds", vec!["a".to_owned(), "7".to_owned()], 2),
    ] {
        let page = History::by_name(table.to_owned(), key)
            .page(reader)
            .unwrap();
        assert_eq!(page.entries.len(), changes, "{table}");
    }
    assert_eq!(Patient::versions_of(reader, 1).unwrap().len(), 2);
    assert_eq!(Bed::blame_of(reader, ("a", 7)).unwrap().len(), 3);
    let bed = Bed {
        ward: "a".to_owned(),
        number: 7,
        patient_id: Some(1),
    };
    assert_eq!(Bed::as_of(reader, ("a", 7), then).unwrap(), Ok(bed));
    let ada = Patient {
        id: 1,
        ssn: "123-45-6789".to_owned(),
        name: "Ada Lovelace".to_owned(),
    };
    assert_eq!(patients::table.first(reader), Ok(ada));
    assert_eq!(Bed::all_as_of(reader, then).unwrap().count(), 1);
    assert!(Patient::as_of_json(reader, 1, then).is_ok());
    let of_record = [("table", "clinic.beds"), ("record", r#"["a","7"]"#)];
    let of_record = Filter::parse(of_record).unwrap();
    assert_eq!(timeline(of_record).page(reader).unwrap().entries.len(), 2);
    assert_value(
        reader,
        "SELECT threadline.record_key(id, ROW('b', 8)) FROM threadline.audited_tables WHERE table_name = 'beds'",
        r#"["b", "8"]"#,
    );
    let models = models![Patient, Bed];
    assert_eq!(models.health(reader).unwrap().findings, []);
    assert_eq!(models.verify().run(reader).unwrap().findings, []);
}
