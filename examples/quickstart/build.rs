fn main() {
    // embed_migrations! does not notice new folders by itself.
    println!("cargo:rerun-if-changed=migrations");
    // An application commits all of its migrations. Here `cargo xtask demo` and `cargo xtask
    // test` write the one of the audit schema, which would repeat the SQL of the library.
    let schema = std::fs::read_dir("migrations")
        .into_iter()
        .flatten()
        .flatten()
        .any(|folder| {
            folder
                .file_name()
                .to_string_lossy()
                .contains("_threadline_schema_v")
        });
    if !schema {
        println!(
            "cargo:warning=run `cargo xtask schema` to write the migration of the audit schema"
        );
    }
}
