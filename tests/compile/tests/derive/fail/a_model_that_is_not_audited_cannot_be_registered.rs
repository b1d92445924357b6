struct User;

fn main() {
    threadline::models![User];
}
