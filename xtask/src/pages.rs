//! Checks that the files and tests that pages name exist.

use std::fs;

use threadline_test_server::root;

const PAGES: [&str; 4] = [
    "CONTRIBUTING.md",
    "SECURITY.md",
    "threadline/src/docs/how_it_works.md",
    "threadline/src/docs/stability.md",
];

/// Returns the texts between backticks on a page.
fn named(page: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let words = text.split('`').skip(1).step_by(2).map(str::to_owned);
    words.collect()
}

/// Returns whether a file or folder does not exist. A path with a placeholder names no
/// file.
fn lost_path(name: &str) -> bool {
    let looks_like_one = name.contains('/')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    let begins = name.split('/').next().unwrap_or_default();
    // `/usr/…` is outside of the repository, and `page/of` is no path.
    looks_like_one
        && !begins.is_empty()
        && (root().join(begins).exists() || name.ends_with(".rs"))
        && !root().join(name).exists()
}

/// Returns whether a test such as `capture::redaction::secrets_stay_out` is missing.
fn lost_test(name: &str) -> bool {
    let parts: Vec<&str> = name.split("::").collect();
    let [suite, modules @ .., test] = parts.as_slice() else {
        return false;
    };
    let is_a_suite = root().join(format!("tests/tests/{suite}.rs")).exists();
    if modules.is_empty() || !is_a_suite {
        return false;
    }
    let file = format!("tests/tests/{suite}/{}.rs", modules.join("/"));
    let text = fs::read_to_string(root().join(file)).unwrap_or_default();
    !text.contains(&format!("fn {test}("))
}

#[test]
fn every_file_and_test_that_a_page_names_is_there() {
    let mut lost = vec![];
    let mut found = 0;
    for page in PAGES {
        for name in named(page) {
            if lost_path(&name) || lost_test(&name) {
                lost.push(format!("{page}: {name}"));
            }
            found += usize::from(name.contains('/') || name.contains("::"));
        }
    }
    assert!(found > 100, "the pages name {found} files and tests");
    assert!(lost.is_empty(), "these do not exist:\n{}", lost.join("\n"));
}

#[test]
fn missing_files_and_tests_are_found() {
    assert!(lost_path("threadline/src/nowhere.rs"));
    assert!(!lost_path("threadline/src/lib.rs"));
    assert!(lost_test("access::ways::no_such_test"));
    assert!(!lost_test("access::ways"));
    assert!(!lost_test("threadline::docs::stability"));
}
