//! What dots before the @ ask of whoever writes an address down: quotes, where they stand at an end or beside another.

/// The two quotes.
const QUOTES: usize = 2;

/// Whether what stands before an @ is written without quotes (RFC 5322, 3.2.3). No other character that needs them is in an
/// address here, so this hangs on the dots alone.
pub fn is_dot_atom(local: &str) -> bool {
    !local.split('.').any(str::is_empty)
}

/// How long it is on its way: quotes count (RFC 5321, 4.1.2).
pub(super) fn written_octets(local: &str) -> usize {
    match is_dot_atom(local) {
        true => local.len(),
        false => local.len() + QUOTES,
    }
}

#[cfg(test)]
mod tests {
    use crate::email::{EmailAddress, EmailError};

    #[test]
    fn quotes_count_among_the_octets_before_the_at() {
        let refusal = |local: String| EmailAddress::parse(&format!("{local}@example.com")).err();
        assert_eq!(refusal(format!("{}.a", "a".repeat(62))), None);
        assert_eq!(refusal(format!("{}.", "a".repeat(61))), None);
        assert_eq!(refusal(format!("{}.", "a".repeat(62))), Some(EmailError::Length));
        assert_eq!(refusal("a..b".to_owned()), None);
    }
}
