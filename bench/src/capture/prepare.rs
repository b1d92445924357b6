//! The statements that a connection prepares, so that nothing is parsed again.

use diesel::PgConnection;
use diesel::connection::SimpleConnection;

use crate::capture::variant::Variant;
use crate::sql::number;

/// Prepares a connection for writes of one row by these variants.
pub(super) fn writes(conn: &mut PgConnection, variants: &[Variant], widths: &[u32]) {
    if variants.contains(&Variant::Limit) {
        prepare(
            conn,
            include_str!("../../sql/capture/prepare_open.sql"),
            &[],
        );
    }
    for variant in variants {
        for width in widths.iter().map(u32::to_string) {
            let table_id = limit_table_id(conn, &width).to_string();
            let template = match variant {
                Variant::Limit => include_str!("../../sql/capture/prepare_limit.sql"),
                _ => include_str!("../../sql/capture/prepare_writes.sql"),
            };
            let holes = [
                ("{table}", variant.table(&width)),
                ("{width}", width),
                ("{table_id}", table_id),
            ];
            prepare(conn, template, &holes);
        }
    }
}

/// Prepares the statements of a template for a variant.
pub(super) fn of_variant(conn: &mut PgConnection, variant: Variant, template: &str) {
    prepare(
        conn,
        template,
        &[("{variant}", variant.prefix().to_owned())],
    );
}

fn prepare(conn: &mut PgConnection, template: &str, holes: &[(&str, String)]) {
    let sql = holes
        .iter()
        .fold(template.to_owned(), |sql, (hole, filling)| {
            sql.replace(hole, filling)
        });
    conn.batch_execute(&sql)
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Returns the table id under which the limit writes its audit rows.
pub(super) fn limit_table_id(conn: &mut PgConnection, of: &str) -> i64 {
    number(
        conn,
        &format!(
            "SELECT id::bigint FROM threadline.audited_tables WHERE table_name = 'limit_{of}'"
        ),
    )
}
