//! Who the client is: the peer, unless the peer is a proxy that we trust to say it.

use std::net::{IpAddr, SocketAddr};

use actix_web::{HttpRequest, http::header};
use ipnet::IpNet;

use crate::{
    accounts::ClientInfo,
    flows::FlowError,
    http::{
        api::Api,
        kit::{problem::ApiError, user_agent},
    },
    limits::{ClientNetwork, Operation, SolvedWork, Subject},
};

/// The client's address, by `server.trusted_proxies`: from `X-Forwarded-For`, or from `Forwarded` (RFC 7239) where that
/// header is missing. Never from both: most proxies write the former and pass on what the client wrote in the latter.
/// Of IPv6, the network by `server.ipv6_prefix`.
pub fn client_network(api: &Api, request: &HttpRequest) -> ClientNetwork {
    ClientNetwork::of(client_address(api, request), api.server.ipv6_prefix)
}

/// Counts a request for a page, which is no operation of its own.
///
/// # Errors
/// When a limit refuses.
pub async fn count_page(api: &Api, request: &HttpRequest) -> Result<(), ApiError> {
    let subject = Subject::new(client_network(api, request));
    let counted = api.flows.codes.limiter.admit(Operation::Other, &subject).await;
    counted.map(drop).map_err(|denied| FlowError::from(denied).into())
}

/// What is kept of the client with a session that it opens.
pub fn client_info(api: &Api, request: &HttpRequest) -> ClientInfo {
    ClientInfo {
        network: client_network(api, request),
        client: user_agent::in_words(request.headers()),
    }
}

/// The proof of work that a request brought. One that can't be read is none: the answer says whether one is needed.
pub fn proof_of_work(request: &HttpRequest) -> Option<SolvedWork> {
    let header = request.headers().get("x-proof")?;
    SolvedWork::parse(header.as_bytes())
}

fn client_address(api: &Api, request: &HttpRequest) -> IpAddr {
    let peer = request
        .peer_addr()
        .map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip());
    let trusted = api.server.trusted_proxies.as_slice();
    if trusted.is_empty() {
        return peer.to_canonical();
    }
    let lists = |name: header::HeaderName| request.headers().get_all(name).map(|list| list.as_bytes());
    let hops: Vec<_> = match request.headers().contains_key(header::X_FORWARDED_FOR) {
        true => lists(header::X_FORWARDED_FOR)
            .flat_map(|list| hops(list.split(|&byte| byte == b','), hop))
            .collect(),
        false => lists(header::FORWARDED)
            .flat_map(|list| hops(outside_quotes(list, b',').into_iter(), forwarded_for))
            .collect(),
    };
    right_most_untrusted(peer, &hops, trusted)
}

/// What each entry of a list says; a list may have empty ones (RFC 9110, 5.6.1).
fn hops<'a>(
    entries: impl Iterator<Item = &'a [u8]>,
    read: fn(&str) -> Option<IpAddr>,
) -> impl Iterator<Item = Option<IpAddr>> {
    entries
        .filter(|entry| !entry.trim_ascii().is_empty())
        .map(move |entry| str::from_utf8(entry).ok().and_then(read))
}

/// The parts of a list between separators that stand in no quoted string (RFC 9110, 5.6.4).
///
/// It is read from its end: that is what our own proxy wrote. A quote that the client left open, further left, must not swallow it;
/// nor must a separator within what the proxy quoted (`host` is what the client sent) begin another element.
fn outside_quotes(list: &[u8], separator: u8) -> Vec<&[u8]> {
    let is_escaped = |at: usize| {
        let backslashes = list[..at].iter().rev().take_while(|&&byte| byte == b'\\');
        backslashes.count() % 2 == 1
    };
    let (mut parts, mut end, mut is_quoted) = (Vec::new(), list.len(), false);
    for (at, &byte) in list.iter().enumerate().rev() {
        if byte == b'"' && !(is_quoted && is_escaped(at)) {
            is_quoted = !is_quoted;
        } else if byte == separator && !is_quoted {
            parts.push(&list[at + 1..end]);
            end = at;
        }
    }
    parts.push(&list[..end]);
    parts.reverse();
    parts
}

/// The last hop that isn't a proxy of ours. What stands left of it was said by someone we don't trust; a hop that is no
/// address ends the walk at the proxy that reported it.
fn right_most_untrusted(peer: IpAddr, hops: &[Option<IpAddr>], trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let mut client = peer.to_canonical();
    for hop in hops.iter().rev() {
        match hop {
            Some(address) if is_trusted(&client) => client = *address,
            _ => break,
        }
    }
    client
}

/// An entry of `X-Forwarded-For`: an address, with a port at times.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bracketed = text
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        .map(|(address, _)| address);
    // The zone of a link-local address says nothing outside the host that wrote it.
    let address = bracketed.unwrap_or(text).split('%').next().unwrap_or_default();
    let address = address
        .parse()
        .or_else(|_| address.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

/// The `for` of an element of `Forwarded` (RFC 7239 section 5.2).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = outside_quotes(element.as_bytes(), b';').into_iter();
    let mut pairs = pairs.filter_map(|pair| str::from_utf8(pair).ok()?.trim().split_once('='));
    let (_, node) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    hop(node.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, hops: &[&str], trusted: &[&str]) -> String {
        let hops: Vec<_> = hops.iter().map(|text| hop(text)).collect();
        let trusted: Vec<_> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        right_most_untrusted(peer.parse().unwrap(), &hops, &trusted).to_string()
    }

    #[test]
    fn only_a_trusted_peer_is_believed() {
        assert_eq!(
            client("203.0.113.9", &["198.51.100.1"], &["10.0.0.0/8"]),
            "203.0.113.9"
        );
        assert_eq!(
            client("10.0.0.1", &["198.51.100.1"], &["10.0.0.0/8"]),
            "198.51.100.1"
        );
        assert_eq!(client("10.0.0.1", &[], &["10.0.0.0/8"]), "10.0.0.1");
    }

    #[test]
    fn what_stands_left_of_the_client_is_his_own_claim() {
        let hops = ["1.1.1.1", "198.51.100.1", "10.0.0.2"];
        assert_eq!(client("10.0.0.1", &hops, &["10.0.0.0/8"]), "198.51.100.1");
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1", "nonsense", "10.0.0.2"], &["10.0.0.0/8"]),
            "10.0.0.2"
        );
    }

    #[test]
    fn every_spelling_of_an_address_is_read() {
        let trusted = ["::/0", "0.0.0.0/0"];
        for spelling in [
            "198.51.100.1",
            " 198.51.100.1:4711",
            "::ffff:198.51.100.1",
            "[::ffff:198.51.100.1]:80",
            "198.51.100.1%eth0",
        ] {
            assert_eq!(client("::1", &[spelling], &trusted), "198.51.100.1", "{spelling}");
        }
    }

    #[test]
    fn an_element_of_forwarded_names_the_client_in_its_for() {
        let ipv6 = r#"proto=https; For="[2001:db8::7]:4711""#;
        assert_eq!(forwarded_for(ipv6), Some("2001:db8::7".parse().unwrap()));
        assert_eq!(
            forwarded_for("for=198.51.100.1;by=203.0.113.1"),
            Some("198.51.100.1".parse().unwrap())
        );
        assert_eq!(forwarded_for("for=unknown"), None);
    }

    #[test]
    fn nothing_that_stands_in_quotes_is_another_client() {
        for list in [
            r#"for=198.51.100.1;host="a,for=8.8.8.8""#,
            r#"host="a;for=8.8.8.8";for=198.51.100.1"#,
            r#"host="a\",for=8.8.8.8,\"";for=198.51.100.1"#,
            r#"for=198.51.100.1;host="a\\""#,
            // The client left a quote open; the proxy added its element.
            r#"for="x, for=198.51.100.1"#,
            r#"for="x, for=198.51.100.1;host="a,for=8.8.8.8""#,
            r#"for=8.8.8.8, for="198.51.100.1:4711";by="b""#,
        ] {
            let hops: Vec<_> =
                hops(outside_quotes(list.as_bytes(), b',').into_iter(), forwarded_for).collect();
            let client = right_most_untrusted([10, 0, 0, 1].into(), &hops, &["10.0.0.0/8".parse().unwrap()]);
            assert_eq!(client.to_string(), "198.51.100.1", "{list}");
        }
    }
}
