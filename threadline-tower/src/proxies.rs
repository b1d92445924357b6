use std::net::{IpAddr, SocketAddr};

use http::request::Parts;

/// Returns a function for [`AuditLayer::remote_ip`](crate::AuditLayer::remote_ip) that
/// reads the client's address as the outermost of `proxies` trusted proxies saw it.
///
/// Each proxy appends the address from which it got the request to `X-Forwarded-For`. The
/// client may have sent such a header itself, so only the last entries are reliable, one
/// for each of your own proxies. With one proxy, the client is the last entry; with two,
/// the last but one.
///
/// ```
/// use threadline_tower::behind_proxies;
///
/// let request = http::Request::builder()
///     // The client claims to be 198.51.100.1; the proxy saw 203.0.113.9.
///     .header("x-forwarded-for", "198.51.100.1, 203.0.113.9")
///     .body(())?;
/// let (parts, ()) = request.into_parts();
/// let address = behind_proxies(1)(&parts);
/// assert_eq!(address, Some([203, 0, 113, 9].into()));
/// # Ok::<(), http::Error>(())
/// ```
///
/// The function returns `None` if the header has fewer entries than there are proxies, or
/// if the entry is not an address: an address that no trusted proxy reported is never
/// recorded. It also returns `None` with `proxies` 0, because the header is then not
/// reliable.
///
/// Use it only if requests cannot bypass the proxies, and if each proxy appends to the
/// header. Adjust the number when you add a proxy, such as a CDN.
pub fn behind_proxies(proxies: usize) -> impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static {
    move |parts| {
        let before_the_client = proxies.checked_sub(1)?;
        let lines = parts.headers.get_all("x-forwarded-for").iter().rev();
        lines
            .flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','))
            .nth(before_the_client)
            .and_then(address)
    }
}

/// Parses an address, also with the port that some proxies add.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let entry = std::str::from_utf8(entry).ok()?.trim();
    let with_port = || entry.parse::<SocketAddr>().map(|address| address.ip());
    entry.parse().or_else(|_| with_port()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(proxies: usize, lines: &[&str]) -> Option<String> {
        let mut request = http::Request::builder();
        for line in lines {
            request = request.header("X-Forwarded-For", *line);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        behind_proxies(proxies)(&parts).map(|address| address.to_string())
    }

    #[test]
    fn the_entry_of_the_outermost_trusted_proxy_counts() {
        let line = "198.51.100.1, 203.0.113.9,10.0.0.7";
        assert_eq!(seen(1, &[line]).as_deref(), Some("10.0.0.7"));
        assert_eq!(seen(2, &[line]).as_deref(), Some("203.0.113.9"));
        assert_eq!(seen(3, &[line]).as_deref(), Some("198.51.100.1"));
    }

    #[test]
    fn several_headers_are_one_list() {
        let lines = ["198.51.100.1, 198.51.100.2", "203.0.113.9", "10.0.0.7"];
        assert_eq!(seen(1, &lines).as_deref(), Some("10.0.0.7"));
        assert_eq!(seen(2, &lines).as_deref(), Some("203.0.113.9"));
        assert_eq!(seen(3, &lines).as_deref(), Some("198.51.100.2"));
    }

    #[test]
    fn nothing_is_said_of_a_client_that_no_trusted_proxy_saw() {
        assert_eq!(seen(0, &["203.0.113.9"]), None);
        assert_eq!(seen(1, &[]), None);
        assert_eq!(seen(2, &["203.0.113.9"]), None);
        for nonsense in [
            "",
            "unknown",
            "203.0.113.9, ",
            "203.0.113.9, _hidden",
            "1.2.3",
        ] {
            assert_eq!(seen(1, &[nonsense]), None, "{nonsense}");
        }
    }

    #[test]
    fn an_address_may_have_a_port() {
        assert_eq!(
            seen(1, &["203.0.113.9:4711"]).as_deref(),
            Some("203.0.113.9")
        );
        assert_eq!(
            seen(1, &["[2001:db8::1]:443"]).as_deref(),
            Some("2001:db8::1")
        );
        assert_eq!(seen(1, &["2001:db8::1"]).as_deref(), Some("2001:db8::1"));
    }
}
