use std::fmt;
use std::str::FromStr;

/// The `traceparent` of a request, as defined by [W3C Trace Context].
///
/// Parsing is strict: lowercase digits, no zero ids, and nothing after the flags, except in
/// a later version of the format.
///
/// ```
/// use threadline_tower::TraceParent;
///
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let parent: TraceParent = header.parse()?;
/// assert_eq!(parent.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
/// assert_eq!(parent.to_string(), header);
/// # Ok::<(), threadline_tower::InvalidTraceParent>(())
/// ```
///
/// [W3C Trace Context]: https://www.w3.org/TR/trace-context/#traceparent-header
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace_id: String,
    parent_id: String,
    flags: u8,
}

/// The error for a text that is not a `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidTraceParent;

impl fmt::Display for InvalidTraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not a traceparent of W3C Trace Context: expected 00-<32 hex digits>-<16 hex digits>-<2 hex digits>",
        )
    }
}

impl std::error::Error for InvalidTraceParent {}

/// The only flag that has the same meaning in every version.
const SAMPLED: u8 = 1;

/// The length of version 00, with which later versions begin.
const LENGTH: usize = 55;

impl TraceParent {
    /// Returns the id of the trace: 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        &self.trace_id
    }

    /// Returns the id of the caller's span: 16 hexadecimal digits.
    pub fn parent_id(&self) -> &str {
        &self.parent_id
    }

    /// Returns whether the caller may have recorded the trace.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }
}

impl FromStr for TraceParent {
    type Err = InvalidTraceParent;

    fn from_str(text: &str) -> Result<Self, InvalidTraceParent> {
        let known = text.get(..LENGTH).ok_or(InvalidTraceParent)?;
        let [version, trace_id, parent_id, flags] = fields(known).ok_or(InvalidTraceParent)?;
        let version = byte(version).ok_or(InvalidTraceParent)?;
        let more = &text[LENGTH..];
        let is_valid = match version {
            0 => more.is_empty(),
            0xff => false,
            _ => more.is_empty() || more.starts_with('-'),
        };
        if !is_valid || !is_id(trace_id, 32) || !is_id(parent_id, 16) {
            return Err(InvalidTraceParent);
        }
        let flags = byte(flags).ok_or(InvalidTraceParent)?;
        Ok(Self {
            trace_id: trace_id.to_owned(),
            parent_id: parent_id.to_owned(),
            flags: if version == 0 { flags } else { flags & SAMPLED },
        })
    }
}

/// Writes version 00, the only version that this crate knows.
impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            trace_id,
            parent_id,
            flags,
        } = self;
        write!(f, "00-{trace_id}-{parent_id}-{flags:02x}")
    }
}

fn fields(text: &str) -> Option<[&str; 4]> {
    let fields: Vec<&str> = text.split('-').collect();
    fields.try_into().ok()
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_id(text: &str, length: usize) -> bool {
    is_hex(text, length) && text.bytes().any(|b| b != b'0')
}

fn byte(text: &str) -> Option<u8> {
    is_hex(text, 2).then(|| u8::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_valid_header_is_read_and_written_unchanged() {
        let parent: TraceParent = VALID.parse().unwrap();
        assert_eq!(parent.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(parent.parent_id(), "00f067aa0ba902b7");
        assert!(parent.is_sampled());
        assert_eq!(parent.to_string(), VALID);
        let random: TraceParent = VALID.replace("-01", "-02").parse().unwrap();
        assert!(!random.is_sampled());
        assert!(random.to_string().ends_with("-02"));
    }

    #[test]
    fn later_versions_are_read_as_far_as_they_are_known() {
        for later in ["01", "cc", "fe"] {
            let longer = VALID
                .replacen("00", later, 1)
                .replace("-01", "-ff-what-else");
            let parent: TraceParent = longer.parse().unwrap();
            assert_eq!(parent.to_string(), VALID, "{longer}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let zeros = "0".repeat(32);
        for invalid in [
            "",
            "00",
            &VALID[..54],
            &format!("{VALID}-"),
            &format!("{VALID} "),
            &format!(" {VALID}"),
            &format!("{VALID},{VALID}"),
            &VALID.to_uppercase(),
            &VALID.replacen("00", "ff", 1),
            &VALID.replacen("00", "0x", 1),
            &VALID.replacen("00", "01", 1).replace("-01", "-010"),
            &VALID.replace("4bf92f3577b34da6a3ce929d0e0e4736", &zeros),
            &VALID.replace("00f067aa0ba902b7", &zeros[..16]),
            &VALID.replace("4bf9", "4bg9"),
            &VALID.replace("4bf9", "4b+9"),
            &VALID.replace('-', "_"),
            &VALID.replace("4bf9", "4b-9"),
            &VALID.replace("-01", "-+1"),
            // A multi-byte character across the end of version 00.
            &format!("{}é", &VALID[..54]),
            &"é".repeat(40),
        ] {
            assert_eq!(
                invalid.parse::<TraceParent>(),
                Err(InvalidTraceParent),
                "{invalid}"
            );
        }
    }
}
