//! The cases are in `tests`. This is the schema that most of them share.

diesel::table! {
    users (id) {
        id -> Int4,
        email -> Text,
        phone -> Text,
    }
}

diesel::table! {
    orders (tenant, number) {
        tenant -> Text,
        number -> Int4,
        comment -> Text,
    }
}

diesel::table! {
    countries (code) {
        code -> Text,
        name -> Text,
    }
}
