//! Reading and writing on a custom connection: one that counts its statements.

use diesel::connection::{
    AnsiTransactionManager, CacheSize, ConnectionSealed, Instrumentation, LoadConnection,
    SimpleConnection,
};
use diesel::expression::QueryMetadata;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use threadline::{ActorRef, AuditContext, AuditExt, Audited, BlockingConnection, Filter, timeline};
use threadline_tests::Database;
use threadline_tests::models::{MEMBERS, Member, audited, members};

struct Counting {
    inner: PgConnection,
    statements: usize,
}

/// The traits that Threadline requires.
impl BlockingConnection for Counting {}

impl SimpleConnection for Counting {
    fn batch_execute(&mut self, sql: &str) -> QueryResult<()> {
        self.statements += 1;
        self.inner.batch_execute(sql)
    }
}

impl ConnectionSealed for Counting {}

impl Connection for Counting {
    type Backend = Pg;
    type TransactionManager = AnsiTransactionManager;

    fn establish(url: &str) -> ConnectionResult<Self> {
        let inner = PgConnection::establish(url)?;
        Ok(Self {
            inner,
            statements: 0,
        })
    }

    fn execute_returning_count<T>(&mut self, source: &T) -> QueryResult<usize>
    where
        T: QueryFragment<Pg> + QueryId,
    {
        self.statements += 1;
        self.inner.execute_returning_count(source)
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        self.inner.transaction_state()
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        self.inner.instrumentation()
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.inner.set_instrumentation(instrumentation);
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.inner.set_prepared_statement_cache_size(size);
    }
}

impl LoadConnection for Counting {
    type Cursor<'conn, 'query> = <PgConnection as LoadConnection>::Cursor<'conn, 'query>;
    type Row<'conn, 'query> = <PgConnection as LoadConnection>::Row<'conn, 'query>;

    fn load<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> QueryResult<Self::Cursor<'conn, 'query>>
    where
        T: Query + QueryFragment<Pg> + QueryId + 'query,
        Pg: QueryMetadata<T::SqlType>,
    {
        self.statements += 1;
        <PgConnection as LoadConnection>::load(&mut self.inner, source)
    }
}

#[test]
fn a_connection_of_ones_own_writes_and_reads_the_audit() {
    let (database, setup) = &mut Database::with(MEMBERS);
    audited().install(setup).unwrap();
    let conn = &mut Counting::establish(&database.url()).unwrap();

    let ada = ActorRef::user(42).unwrap();
    let insert = diesel::insert_into(members::table).values((
        members::id.eq(1),
        members::name.eq("Ada"),
        members::email.eq(None::<String>),
    ));
    conn.audited_transaction(&AuditContext::new(ada.clone()), |conn| insert.execute(conn))
        .unwrap();
    assert_eq!(conn.statements, 3, "BEGIN with the context, INSERT, COMMIT");

    let history = Member::history_of(conn, 1).unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].actor(), Some(&ada));
    assert_eq!(Member::history_of(setup, 1).unwrap(), history);
    let page = timeline(Filter::new().actor(&ada)).page(conn).unwrap();
    assert_eq!(page.entries.len(), 1);
    let versions = Member::versions_of(conn, 1).unwrap();
    assert_eq!(versions.len(), 1);
    assert!(audited().verify().run(conn).unwrap().is_sound());
}
