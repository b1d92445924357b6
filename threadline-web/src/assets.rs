//! The style sheets, the script and the icon. They are part of the binary, under names that
//! change with their contents.

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::failure::Failure;

/// A file that pages load.
pub(crate) struct Asset {
    name: &'static str,
    kind: &'static str,
    contents: &'static [u8],
    fingerprint: u64,
}

macro_rules! asset {
    ($name:literal, $kind:literal) => {
        Asset {
            name: $name,
            kind: $kind,
            contents: include_bytes!(concat!("../assets/", $name)),
            fingerprint: fingerprint(include_bytes!(concat!("../assets/", $name))),
        }
    };
}

pub(crate) static STYLE: Asset = asset!("explorer.css", "text/css; charset=utf-8");
pub(crate) static FRAGMENT_STYLE: Asset = asset!("fragment.css", "text/css; charset=utf-8");
pub(crate) static SCRIPT: Asset = asset!("explorer.js", "text/javascript; charset=utf-8");
pub(crate) static EXPORT_SCRIPT: Asset = asset!("export.js", "text/javascript; charset=utf-8");
pub(crate) static ICON: Asset = asset!("icon.svg", "image/svg+xml");

impl Asset {
    /// Returns the path of the file, relative to a page.
    pub(crate) fn path(&self) -> String {
        format!("assets/{:016x}-{}", self.fingerprint, self.name)
    }
}

/// Returns the FNV-1a hash.
const fn fingerprint(contents: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < contents.len() {
        hash = (hash ^ contents[at] as u64).wrapping_mul(0x100_0000_01b3);
        at += 1;
    }
    hash
}

/// Serves a file, which is the same for every viewer and never changes.
pub(crate) async fn serve(Path(name): Path<String>) -> Result<Response, Failure> {
    let asked = format!("assets/{name}");
    let asset = [&STYLE, &FRAGMENT_STYLE, &SCRIPT, &EXPORT_SCRIPT, &ICON]
        .into_iter()
        .find(|asset| asset.path() == asked)
        .ok_or_else(|| Failure::NotFound("there is no such file".to_owned()))?;
    let headers = [
        (CONTENT_TYPE, asset.kind),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, asset.contents).into_response())
}
