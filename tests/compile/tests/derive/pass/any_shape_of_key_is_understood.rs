use diesel::prelude::*;
use threadline::{Audited, AuditedModel, ColumnPolicy, Error, History};
use threadline_compile_tests::{countries, orders};

#[derive(Identifiable, Audited)]
#[diesel(table_name = countries, primary_key(code))]
#[audited(mask(name))]
pub struct Declared {
    pub code: String,
}

#[derive(Audited)]
#[diesel(table_name = countries)]
#[audited(mask(name))]
pub struct Undeclared;

#[derive(Identifiable, Audited)]
#[diesel(table_name = orders)]
#[diesel(primary_key(tenant, number))]
#[audited(exclude(comment))]
pub struct Order {
    pub tenant: String,
    #[diesel(column_name = number)]
    pub running_number: i32,
}

pub fn read(conn: &mut PgConnection, country: &Declared, order: &Order) -> Result<(), Error> {
    country.history(conn)?;
    order.history(conn)?;
    Undeclared::history_of(conn, "DE")?;
    Order::history_of(conn, ("acme", 7))?;
    Order::history_of(conn, (&order.tenant, &order.running_number))?;
    Ok(())
}

fn main() {
    assert_eq!(Declared::spec().policy.columns_with(ColumnPolicy::Mask), ["name"]);
    assert_eq!(Undeclared::spec().policy.columns_with(ColumnPolicy::Mask), ["name"]);
    assert_eq!(Order::spec().policy.columns_with(ColumnPolicy::Exclude), ["comment"]);

    let _ = History::<Declared, _>::of_key("DE");
    let _ = History::<Undeclared, _>::of_key(String::from("DE"));
    let _ = History::<Order, _>::of_key(("acme", 7));
}
