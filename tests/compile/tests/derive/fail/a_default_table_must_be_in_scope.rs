use threadline::Audited;

mod schema {
    diesel::table! {
        blog_posts (id) {
            id -> Int4,
            email -> Text,
        }
    }
}

#[derive(Audited)]
#[audited(mask(email))]
struct BlogPost;

fn main() {}
