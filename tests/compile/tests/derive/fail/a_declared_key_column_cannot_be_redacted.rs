use threadline::Audited;
use threadline_compile_tests::{countries, orders};

#[derive(Audited)]
#[diesel(table_name = countries, primary_key(code))]
#[audited(mask(code))]
struct Country;

#[derive(Audited)]
#[diesel(table_name = orders, primary_key(tenant, number))]
#[audited(exclude(number))]
struct Order;

fn main() {}
