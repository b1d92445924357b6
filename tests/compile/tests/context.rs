//! Contexts at compile time: code that could record the wrong actor does not compile.
//! `TRYBUILD=overwrite` rewrites the messages.

#[test]
fn what_could_blame_the_wrong_person_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/context/fail/*.rs");
}
