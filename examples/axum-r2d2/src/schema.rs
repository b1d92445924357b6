diesel::table! {
    users (id) {
        id -> Int8,
        name -> Text,
        token -> Text,
    }
}

diesel::table! {
    articles (id) {
        id -> Int8,
        title -> Text,
        body -> Text,
    }
}

diesel::table! {
    comments (id) {
        id -> Int8,
        article_id -> Int8,
        text -> Text,
    }
}
