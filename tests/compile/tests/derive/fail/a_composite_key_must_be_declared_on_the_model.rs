use threadline::Audited;
use threadline_compile_tests::orders;

#[derive(Audited)]
#[diesel(table_name = orders)]
#[audited(mask(comment))]
struct Order;

fn main() {}
