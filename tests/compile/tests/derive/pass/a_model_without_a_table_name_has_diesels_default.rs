//! Diesel's own derives use the same table.

use diesel::prelude::*;
use threadline::{Audited, AuditedModel};

diesel::table! {
    blog_posts (id) {
        id -> Int4,
        email -> Text,
    }
}

#[derive(Queryable, Selectable, Identifiable, Audited)]
#[audited(mask(email))]
struct BlogPost {
    id: i32,
    email: String,
}

fn main() {
    assert_eq!(BlogPost::spec().table, r#""blog_posts""#);
    let post = BlogPost {
        id: 1,
        email: String::new(),
    };
    assert_eq!((post.id(), post.email.as_str()), (&1, ""));
}
