//! Contexts at compile time: code that could record the wrong actor does not compile.
//! `TRYBUILD=overwrite` rewrites the messages.

#[test]
fn code_that_could_name_the_wrong_actor_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/context/fail/*.rs");
}
