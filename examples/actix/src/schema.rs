diesel::table! {
    clerks (id) {
        id -> Int8,
        name -> Text,
        token -> Text,
    }
}

diesel::table! {
    items (id) {
        id -> Int8,
        name -> Text,
        stock -> Int8,
    }
}
