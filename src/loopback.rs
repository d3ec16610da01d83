//! Which names always mean this machine. Other names are up to a resolver, which may be told otherwise.

use std::net::IpAddr;

/// Whether a host, by name or address and without a port, is this machine.
pub fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => {
            let name = host.trim_end_matches('.').to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
    }
}

/// The host of a `Host` header, without its port.
pub fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // Not a colon within an IPv6 address.
        Some((name, port))
            if port.bytes().all(|character| character.is_ascii_digit()) && !name.ends_with(':') =>
        {
            let is_whole = !name.contains(':') || name.ends_with(']');
            if is_whole { name } else { host }
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_named_by_its_own_names_alone() {
        for host in [
            "localhost",
            "LOCALHOST.",
            "db.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
            "::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "localhost.example.com",
            "db",
            "10.0.0.1",
            "0.0.0.0",
            "::",
            "127.0.0.1.nip.io",
            "",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn a_port_is_no_part_of_a_host() {
        for (header, host) in [
            ("localhost:8000", "localhost"),
            ("localhost", "localhost"),
            ("[::1]:8000", "[::1]"),
            ("[::1]", "[::1]"),
            ("::1", "::1"),
            ("127.0.0.1:1", "127.0.0.1"),
        ] {
            assert_eq!(without_port(header), host, "{header}");
        }
    }
}
