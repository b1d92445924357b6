fn main() {
    // embed_migrations! does not notice new folders by itself.
    println!("cargo:rerun-if-changed=migrations");
}
