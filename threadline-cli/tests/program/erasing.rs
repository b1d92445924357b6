use threadline_tests::{assert_rows, run};

use super::Place;

#[test]
fn an_erasure_says_whose_texts_it_leaves_and_reading_unmasked_values_has_a_source() {
    let (place, conn) = &mut Place::with_members().connected();
    run(
        conn,
        r#"BEGIN;
           SELECT threadline.set_context('{"actor": {"type": "user", "id": "42"}, "remote_ip": "203.0.113.9"}');
           INSERT INTO members VALUES (42, 'jane@a');
           COMMIT"#,
    );
    let erase = ["erase", "--subject", "members:42", "--reason", "request 31"];
    // There is no terminal for a prompt.
    let refused = place.refused(&erase);
    assert!(
        refused.contains(
            "The recorded personal data of members:42 becomes unreadable in every recorded row, which cannot be undone.\n"
        ) && refused.contains("nothing was done: pass --yes"),
        "{refused}"
    );
    let erase = [&erase[..], &["--yes"]].concat();
    assert_eq!(
        place.done(&erase),
        "Erasure 1 of public.members:42 is done: values of 1 changes and texts of 0 actions and transactions.\n\
         The audit keeps texts and addresses of 0 actions and 1 transactions of user:42. If this is the same person, \
         erase them too: audit erase --subject public.members:42 --actor user:42\n"
    );
    assert_eq!(
        place.done(&[&erase[..], &["--actor", "user:42"]].concat()),
        "Erasure 2 of public.members:42 is done: values of 0 changes and texts of 1 actions and transactions.\n"
    );

    place.done(&["history", "members", "42", "--unmasked", "ticket 4711"]);
    assert_rows(
        conn,
        "SELECT actor_type, source, reason FROM threadline.audit_actions WHERE name = 'audit.unmasked'",
        ["anonymous | threadline | ticket 4711"],
    );
}
