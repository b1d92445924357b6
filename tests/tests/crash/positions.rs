use threadline_tests::{run, value};

use crate::bank::Bank;
use crate::follower::next_page;
use threadline_tests::wait_until;

impl Bank {
    /// Posts until nothing waits.
    pub(crate) fn post_all(&mut self) {
        wait_until("nothing waits", || {
            run(self.conn(), "SELECT threadline.post()");
            self.count("SELECT count(*) FROM threadline.journal") == 0
        });
        assert_eq!(self.count("SELECT count(*) FROM threadline.unposted"), 0);
    }

    /// Asserts that every change has a position, and that the follower has read it.
    pub(crate) fn check_positions(&mut self) {
        let all = self.count("SELECT count(*) FROM recorded_changes");
        let numbers = value(
            self.conn(),
            "SELECT concat_ws(' ', count(*), count(DISTINCT id), count(DISTINCT position), min(position), max(position))
             FROM threadline.ledger_changes",
        );
        assert_eq!(
            numbers,
            Some(format!("{all} {all} {all} 1 {all}")),
            "changes, ids, positions, first and last position"
        );
        let disorder = "SELECT count(*) FROM (
                            SELECT id, lag(id) OVER (PARTITION BY table_id, record_key ORDER BY position) AS before
                            FROM threadline.ledger_changes
                        ) AS steps
                        WHERE id <= before";
        assert_eq!(self.count(disorder), 0, "changes of a record out of order");
        wait_until("the follower comes to the end", || {
            self.follower.reached() >= all
        });
        self.check_seen();
        assert_eq!(self.follower.seen().len() as u64, all);
    }

    /// Asserts that the follower has read the beginning of the ledger, in the ledger's
    /// order.
    pub(crate) fn check_seen(&mut self) {
        self.conn();
        let conn = self.conn.as_mut().expect("just connected");
        let seen = self.follower.seen();
        let mut ledger = vec![];
        while ledger.len() < seen.len() {
            let page = next_page(conn, &ledger).expect("the server is up");
            assert!(
                !page.is_empty(),
                "{} changes seen, {} in the ledger",
                seen.len(),
                ledger.len()
            );
            ledger.extend(page);
        }
        let odd = seen.iter().zip(&ledger).find(|(seen, is)| seen != is);
        assert_eq!(odd, None, "seen, and in the ledger");
    }

    /// Returns the transaction in which a poster is posting at the moment.
    pub(crate) fn posting(&mut self, poster: &str) -> Option<String> {
        value(
            self.conn(),
            &format!(
                "SELECT max(backend_xid::text) FROM pg_stat_activity WHERE application_name LIKE '{poster}%'"
            ),
        )
    }
}
