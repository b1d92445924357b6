//! The context of single-row writes: an actor, and a request id that differs for each
//! transaction.

use std::sync::atomic::{AtomicU64, Ordering};

static REQUESTS: AtomicU64 = AtomicU64::new(1);

pub(super) struct Context {
    request: u64,
}

impl Context {
    pub(super) fn next() -> Self {
        Self {
            request: REQUESTS.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// As the Rust library sends it.
    pub(super) fn as_json(&self) -> String {
        format!(
            r#"{{"actor":{{"id":"42","type":"user"}},"origin":"explicit","request_id":"{}","source":"web"}}"#,
            self.request_id()
        )
    }

    /// As the limit takes it, with the statement that writes it.
    pub(super) fn as_parameters(&self) -> String {
        format!(
            "EXECUTE open_limit('user', '42', '{}', 'web');",
            self.request_id()
        )
    }

    pub(super) fn as_uuid(&self) -> String {
        let (high, low) = (scatter(self.request), scatter(!self.request));
        format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        )
    }

    /// Not sorted, like request ids.
    fn request_id(&self) -> String {
        format!("{:016x}", scatter(self.request))
    }
}

/// Returns a different number for each, unsorted (the mixing step of SplitMix64).
pub(super) fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
