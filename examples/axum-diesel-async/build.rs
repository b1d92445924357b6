fn main() {
    // embed_migrations! does not see new folders by itself.
    println!("cargo:rerun-if-changed=migrations");
}
