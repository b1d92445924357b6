use threadline::Audited;

#[derive(Audited)]
enum Role {
    Admin,
    Member,
}

#[derive(Audited)]
union Number {
    int: i32,
    float: f32,
}

fn main() {}
