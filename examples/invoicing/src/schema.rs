diesel::table! {
    members (id) {
        id -> Int8,
        name -> Text,
        email -> Text,
        password_hash -> Text,
    }
}

diesel::table! {
    roles (member_id, role) {
        member_id -> Int8,
        role -> Text,
    }
}

diesel::table! {
    invoices (id) {
        id -> Int8,
        member_id -> Int8,
        number -> Text,
        amount -> Numeric,
        status -> Text,
        reminders -> Int4,
    }
}

diesel::allow_tables_to_appear_in_same_query!(members, roles, invoices,);
