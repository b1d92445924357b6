// @generated automatically by Diesel CLI.

diesel::table! {
    members (id) {
        id -> Int8,
        name -> Text,
        email -> Text,
        password_hash -> Text,
        role -> Text,
        joined_at -> Timestamptz,
    }
}

diesel::table! {
    payments (id) {
        id -> Int8,
        member_id -> Int8,
        cents -> Int8,
        purpose -> Text,
    }
}

diesel::joinable!(payments -> members (member_id));

diesel::allow_tables_to_appear_in_same_query!(members, payments,);
