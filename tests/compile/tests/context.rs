//! Contexts at compile time: what could blame the wrong person does not compile.
//! `TRYBUILD=overwrite` rewrites the messages.

#[test]
fn what_could_blame_the_wrong_person_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/context/fail/*.rs");
}
