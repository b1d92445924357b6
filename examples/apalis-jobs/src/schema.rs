diesel::table! {
    accounts (id) {
        id -> Int8,
        owner -> Text,
        cents -> Int8,
    }
}
