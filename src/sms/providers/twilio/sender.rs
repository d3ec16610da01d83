//! Whom an SMS is from, as Twilio knows it (<https://www.twilio.com/docs/glossary/what-alphanumeric-sender-id>,
//! <https://www.twilio.com/docs/glossary/what-is-a-short-code>).

/// Whether a sender is a Messaging Service, which chooses a number: `MG` and 32 hexadecimal digits. A name may begin with
/// MG too.
pub(super) fn is_messaging_service(sender: &str) -> bool {
    let id = sender.strip_prefix("MG");
    id.is_some_and(|id| id.len() == 32 && id.bytes().all(|character| character.is_ascii_hexdigit()))
}

/// Whether Twilio takes it beside numbers in E.164: a short code, a name, a Messaging Service.
pub fn is_twilio_sender(sender: &str) -> bool {
    let is_short_code =
        (3..=8).contains(&sender.len()) && sender.bytes().all(|character| character.is_ascii_digit());
    let is_name = (1..=11).contains(&sender.len())
        && sender.trim() == sender
        && sender
            .bytes()
            .all(|character| character.is_ascii_alphanumeric() || b" +-_&".contains(&character))
        && sender.bytes().any(|character| character.is_ascii_alphabetic());
    is_short_code || is_name || is_messaging_service(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_begins_with_mg_is_a_name() {
        let service = "MG0123456789abcdef0123456789ABCDEF";
        assert!(is_messaging_service(service) && is_twilio_sender(service));
        for name in [
            "MGMResorts",
            "MG123",
            "MG",
            "Ringback",
            "A 1",
            "12345",
            "123",
            "AT&T",
        ] {
            assert!(is_twilio_sender(name) && !is_messaging_service(name), "{name}");
        }
        let long = format!("{service}0");
        for other in [
            "",
            "12",
            "123456789",
            "Ringback Ltd.",
            "Überfall",
            " A",
            "4152000001",
            &long,
            "MG0123456789abcdef",
        ] {
            assert!(!is_twilio_sender(other), "{other}");
        }
    }
}
