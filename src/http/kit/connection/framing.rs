//! Where a head ends and a body begins, in what a client sends. The parser of HTTP decides what a request is; this only
//! says what it lets pass and should not: a line of a head that ends in a bare LF, and a body that has no end.

use memchr::memchr;

/// More than this of one body is never read, whoever asked for it.
const MAX_BODY_BYTES: u64 = 1024 * 1024;
/// A longer line is refused by the parser.
const MAX_LINE_BYTES: usize = 128 * 1024;
/// A request's first line, which has its URI. RFC 9110 asks for 8000 bytes at least.
const MAX_REQUEST_LINE_BYTES: usize = 16 * 1024;

/// What should not be let pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A line of a head ends in LF alone: where, in the bytes that were given.
    BareLineFeed(usize),
    /// The request's first line is too long: where a part of it stands, in the bytes that were given.
    LongUri(usize),
    /// The body is too long.
    EndlessBody,
}

/// Follows the requests of one connection.
#[derive(Debug, Default)]
pub struct Framing {
    part: Part,
    /// What has come of a line that isn't whole yet.
    line: Vec<u8>,
    head: Head,
    /// What has come of this body, its framing included.
    body: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Part {
    #[default]
    Head,
    /// A body of a known length: how much is to come.
    Sized(u64),
    ChunkSize,
    /// A chunk and its line's end: how much is to come.
    Chunk(u64),
    Trailer,
    /// The parser refuses what comes, so there is nothing to follow.
    Lost,
}

#[derive(Debug, Default)]
struct Head {
    has_begun: bool,
    length: u64,
    chunked: bool,
}

impl Framing {
    /// Whether a body has begun and not ended.
    pub fn is_in_body(&self) -> bool {
        !matches!(self.part, Part::Head | Part::Lost)
    }

    /// Whether nothing of a request has come yet, after the last one.
    pub fn is_at_rest(&self) -> bool {
        self.part == Part::Head && !self.head.has_begun && self.line.is_empty()
    }

    /// Takes what came.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let mut at = 0;
        while at < bytes.len() {
            let (before, was) = (at, self.part);
            match was {
                Part::Lost => return Ok(()),
                Part::Sized(left) => at += self.skip(left, bytes.len() - at, Part::Sized, Part::Head),
                Part::Chunk(left) => at += self.skip(left, bytes.len() - at, Part::Chunk, Part::ChunkSize),
                Part::Head | Part::ChunkSize | Part::Trailer => at = self.take_line(bytes, at)?,
            }
            if was != Part::Head {
                self.body += (at - before) as u64;
            }
            if self.part == Part::Head {
                self.body = 0;
            }
            if self.body > MAX_BODY_BYTES {
                return Err(Fault::EndlessBody);
            }
        }
        Ok(())
    }

    fn skip(&mut self, left: u64, here: usize, more: fn(u64) -> Part, then: Part) -> usize {
        let skipped = left.min(here as u64);
        self.part = if skipped == left {
            then
        } else {
            more(left - skipped)
        };
        usize::try_from(skipped).unwrap_or(here)
    }

    /// Takes a line, or the beginning of one.
    fn take_line(&mut self, bytes: &[u8], at: usize) -> Result<usize, Fault> {
        let rest = &bytes[at..];
        let end = memchr(b'\n', rest);
        let is_first = self.part == Part::Head && !self.head.has_begun;
        if is_first && self.line.len() + end.unwrap_or(rest.len()) > MAX_REQUEST_LINE_BYTES {
            return Err(Fault::LongUri(at));
        }
        let Some(end) = end else {
            self.line.extend_from_slice(rest);
            if self.line.len() > MAX_LINE_BYTES {
                self.part = Part::Lost;
            }
            return Ok(bytes.len());
        };
        let line = if self.line.is_empty() {
            self.read(&rest[..end])
        } else {
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(&rest[..end]);
            self.read(&line)
        };
        line.map_err(|BareLineFeed| Fault::BareLineFeed(at + end))?;
        Ok(at + end + 1)
    }

    /// A whole line, without its LF.
    fn read(&mut self, line: &[u8]) -> Result<(), BareLineFeed> {
        let (line, is_bare) = match line.strip_suffix(b"\r") {
            Some(line) => (line, false),
            None => (line, true),
        };
        match self.part {
            Part::Head if is_bare => return Err(BareLineFeed),
            Part::Head => self.read_head(line),
            Part::ChunkSize => self.part = chunk(line),
            Part::Trailer if line.is_empty() => self.part = Part::Head,
            _ => {}
        }
        Ok(())
    }

    fn read_head(&mut self, line: &[u8]) {
        if line.is_empty() {
            // Empty lines before a request are passed over, as the parser does.
            if self.head.has_begun {
                let head = std::mem::take(&mut self.head);
                self.part = match head {
                    Head { chunked: true, .. } => Part::ChunkSize,
                    Head { length: 0, .. } => Part::Head,
                    Head { length, .. } => Part::Sized(length),
                };
            }
            return;
        }
        self.head.has_begun = true;
        // Few headers begin so.
        if !matches!(line[0], b'c' | b'C' | b't' | b'T') {
            return;
        }
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            return;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            match length {
                Some(length) => self.head.length = length,
                None => self.part = Part::Lost,
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.head.chunked = value.to_ascii_lowercase().ends_with(b"chunked");
        }
    }
}

struct BareLineFeed;

/// What comes after the line that says how long a chunk is.
fn chunk(line: &[u8]) -> Part {
    let size = line.split(|&byte| byte == b';').next().unwrap_or_default();
    let size = str::from_utf8(size.trim_ascii()).ok();
    match size.and_then(|size| u64::from_str_radix(size, 16).ok()) {
        Some(0) => Part::Trailer,
        Some(size) => Part::Chunk(size.saturating_add(2)),
        None => Part::Lost,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives the bytes in pieces of some length; tells the place of the first fault.
    fn take(bytes: &[u8], piece: usize) -> (Framing, Option<(usize, Fault)>) {
        let mut framing = Framing::default();
        for (index, part) in bytes.chunks(piece).enumerate() {
            if let Err(fault) = framing.take(part) {
                return (framing, Some((index * piece, fault)));
            }
        }
        (framing, None)
    }

    const REQUESTS: &[u8] = b"\r\nPOST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\na\nb\nc\
        POST /b HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n3;x=y\r\n\n\n\n\r\n0\r\nt: u\r\n\r\n\
        GET /c HTTP/1.1\r\nhost: x\r\n\r\nGET /d HTTP/1.1\r\ncookie: c\r\n\r\n";

    #[test]
    fn bodies_may_hold_what_heads_may_not() {
        for piece in 1..=REQUESTS.len() {
            let (framing, fault) = take(REQUESTS, piece);
            assert_eq!(
                (fault, framing.part, framing.body),
                (None, Part::Head, 0),
                "{piece}"
            );
        }
    }

    #[test]
    fn a_head_with_a_bare_line_feed_is_a_fault_wherever_it_stands() {
        for head in [
            &b"GET / HTTP/1.1\n"[..],
            b"GET / HTTP/1.1\r\nhost: x\n",
            b"GET / HTTP/1.1\r\nhost: x\r\n\n",
            b"\n",
        ] {
            let bytes = [REQUESTS, head].concat();
            for piece in [1, 7, bytes.len()] {
                let (_, fault) = take(&bytes, piece);
                let Some((start, Fault::BareLineFeed(at))) = fault else {
                    panic!("{fault:?}");
                };
                assert_eq!(start + at, bytes.len() - 1, "{piece}");
            }
        }
    }

    #[test]
    fn a_first_line_that_is_too_long_is_a_fault_before_it_has_all_come() {
        let line = |length: usize| format!("GET /{}", "a".repeat(length - 5)).into_bytes();
        for piece in [1, 7, MAX_REQUEST_LINE_BYTES + 1] {
            let fits = [&line(MAX_REQUEST_LINE_BYTES - 1)[..], b"\r\n\r\n"].concat();
            assert_eq!(take(&fits, piece).1, None, "{piece}");
            let long = line(MAX_REQUEST_LINE_BYTES + 1);
            assert!(
                matches!(take(&long, piece).1, Some((_, Fault::LongUri(_)))),
                "{piece}"
            );
        }
        let header = [b"GET / HTTP/1.1\r\nx: ", &line(MAX_REQUEST_LINE_BYTES + 1)[..]].concat();
        assert_eq!(take(&header, 1000).1, None, "a header may be longer");
    }

    #[test]
    fn a_body_without_an_end_is_a_fault() {
        let mut framing = Framing::default();
        framing
            .take(b"GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n")
            .unwrap();
        let chunks = b"1\r\nx\r\n".repeat(1000);
        let taken = (0..400).take_while(|_| framing.take(&chunks).is_ok()).count();
        assert_eq!(taken, 174);

        let mut framing = Framing::default();
        framing
            .take(b"GET / HTTP/1.1\r\ncontent-length: 9999999\r\n\r\n")
            .unwrap();
        assert!(framing.is_in_body());
        assert_eq!(framing.take(&[0; 1024 * 1024 + 1]), Err(Fault::EndlessBody));
    }

    #[test]
    fn each_body_is_counted_by_itself() {
        let mut framing = Framing::default();
        for _ in 0..40 {
            framing
                .take(b"POST / HTTP/1.1\r\ncontent-length: 40000\r\n\r\n")
                .unwrap();
            framing.take(&[b'x'; 40_000]).unwrap();
            assert!(!framing.is_in_body());
        }
    }

    proptest! {
        /// Whatever comes, in whatever pieces, is followed to its end.
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..300), piece in 1_usize..50) {
            take(&bytes, piece);
            take(&[b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", &bytes[..]].concat(), piece);
        }
    }
}
