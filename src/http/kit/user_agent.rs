//! `User-Agent` in words that its owner knows again, as "Chrome on Android": for the list of sessions, and for nothing else,
//! as it says whatever a client likes.

use actix_web::http::header::{HeaderMap, USER_AGENT};
use woothee::parser::Parser;

/// Browsers send some 150 bytes; what is behind these is not read.
const MAX_BYTES: usize = 512;
/// Of a program's own name.
const MAX_NAME: usize = 32;

/// The client in words; none where it says nothing that could be read.
pub fn in_words(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(USER_AGENT)?.to_str().ok()?;
    // ASCII: every byte is a place to cut.
    words(&text[..text.len().min(MAX_BYTES)])
}

fn words(agent: &str) -> Option<String> {
    let found = Parser::new().parse(agent);
    let (browser, system) = match &found {
        // What is no browser is known by its own name alone.
        Some(found) => (browser(found.browser_type, found.name), system(found.os)),
        None => (None, None),
    };
    match (browser.or_else(|| program(agent)), system) {
        (Some(browser), Some(system)) => Some(format!("{browser} on {system}")),
        (Some(name), None) | (None, Some(name)) => Some(name.to_owned()),
        (None, None) => None,
    }
}

fn browser<'a>(kind: &str, name: &'a str) -> Option<&'a str> {
    match (kind, name) {
        (_, "UNKNOWN" | "Webview" | "HTTP Library") => None,
        (_, "SamsungBrowser") => Some("Samsung Internet"),
        ("browser" | "full", name) => Some(name),
        _ => None,
    }
}

fn system(os: &str) -> Option<&str> {
    match os {
        "UNKNOWN" | "" => None,
        "Mac OSX" => Some("macOS"),
        "Windows Phone OS" => Some("Windows Phone"),
        // Browsers name one version for all that are newer.
        windows if windows.starts_with("Windows") => Some("Windows"),
        os => Some(os),
    }
}

/// The first product of the header (RFC 9110, section 10.1.5), as apps and libraries name themselves. `Mozilla` names nobody.
fn program(agent: &str) -> Option<&str> {
    let name = agent.split(['/', ' ', '(']).next()?;
    let is_name = |character: u8| character.is_ascii_alphanumeric() || b"-_.+".contains(&character);
    let is_said = (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_name);
    (is_said && name != "Mozilla").then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_client_is_known_again_by_its_words() {
        for (agent, expected) in [
            (
                "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
                Some("Chrome on Android"),
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
                Some("Safari on iPhone"),
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
                Some("Safari on macOS"),
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
                Some("Edge on Windows"),
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
                Some("Firefox on Linux"),
            ),
            (
                "Mozilla/5.0 (Linux; Android 13; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
                Some("Samsung Internet on Android"),
            ),
            ("okhttp/4.12.0", Some("okhttp")),
            ("curl/8.14.1", Some("curl")),
            ("python-httpx/0.28.1", Some("python-httpx")),
            ("Example/3.1 (com.example.app; build 7)", Some("Example")),
            ("Mozilla/5.0", None),
            ("<script>alert(1)</script>", None),
            ("", None),
        ] {
            assert_eq!(words(agent).as_deref(), expected, "{agent}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_client_says_is_taken(
            head in "(Mozilla/5[.]0 [(]|Windows |MSIE |Opera/|DoCoMo/|BlackBerry|)",
            tail in "[ -~]{0,600}",
        ) {
            let mut headers = HeaderMap::new();
            headers.insert(USER_AGENT, format!("{head}{tail}").parse().unwrap());
            prop_assert!(in_words(&headers).is_none_or(|words| words.len() < 80));
        }
    }
}
