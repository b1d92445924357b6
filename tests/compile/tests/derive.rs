//! `#[derive(Audited)]` at compile time: what it generates for a model, and its messages
//! about mistakes. `TRYBUILD=overwrite` rewrites the messages.

#[test]
fn models_are_understood_and_mistakes_explained() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/derive/pass/*.rs");
    cases.compile_fail("tests/derive/fail/*.rs");
}
