use std::cell::Cell;

thread_local! {
    static PLAIN: Cell<bool> = const { Cell::new(false) };
}

/// Runs a query of this library that writes nothing. On a connection that gives each
/// statement the context, this query gets none, so it needs no transaction that ends before
/// its rows are read.
#[cfg(feature = "postgres")]
pub(crate) fn plainly<T>(query: impl FnOnce() -> T) -> T {
    struct Restore(bool);

    impl Drop for Restore {
        fn drop(&mut self) {
            PLAIN.set(self.0);
        }
    }
    let _restore = Restore(PLAIN.replace(true));
    query()
}

#[cfg(feature = "audited-connection")]
pub(crate) fn is_plain() -> bool {
    PLAIN.get()
}
