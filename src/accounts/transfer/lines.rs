//! A file of lines, read twice in bounded memory.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
};

use crate::entropy::Entropy;

/// What is longer is no user; the line break doesn't count.
const MAX_LINE: usize = 64 * 1024;
/// As long as a UUID.
const ID_LEN: usize = 36;
const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();
/// With a line go the mark before the first one and its line break.
const MAX_READ: usize = BYTE_ORDER_MARK.len() + MAX_LINE + "\r\n".len();

/// A line with its number, or only that it was too long.
pub(super) struct Line {
    pub number: u64,
    pub text: Option<Vec<u8>>,
}

/// The lines of a file.
pub struct Lines {
    file: BufReader<File>,
    /// The id that each has in the table where it comes from, [`ID_LEN`] bytes each.
    ids: Option<File>,
    number: u64,
    /// Bytes in all.
    pub(super) len: u64,
    /// Bytes that were read.
    pub(super) read: u64,
}

impl Lines {
    /// Of a file that can be read again from its beginning.
    ///
    /// # Errors
    /// When it can't.
    pub fn new(mut file: File) -> io::Result<Self> {
        let len = file.seek(SeekFrom::End(0))?;
        file.rewind()?;
        Ok(Self {
            file: BufReader::with_capacity(1 << 16, file),
            ids: None,
            number: 0,
            len,
            read: 0,
        })
    }

    /// Of what can be read once: it is kept in a file that nobody else can open, and that is gone at the end.
    ///
    /// # Errors
    /// When it can't be read or kept.
    pub fn keep(mut source: impl Read, entropy: &dyn Entropy) -> io::Result<Self> {
        let mut file = scratch_file(entropy)?;
        io::copy(&mut source, &mut file)?;
        Self::new(file)
    }

    /// What a line is called where somebody is told of it.
    pub(super) fn name(&mut self, number: u64) -> String {
        let Some(ids) = &mut self.ids else {
            return format!("line {number}");
        };
        let mut id = [0; ID_LEN];
        let place = SeekFrom::Start((number - 1) * ID_LEN as u64);
        let read = ids.seek(place).and_then(|_| ids.read_exact(&mut id));
        match std::str::from_utf8(&id).map(str::trim_end) {
            Ok(id) if read.is_ok() && !id.is_empty() => format!("row with id {id}"),
            _ => format!("row {number}, counted by id"),
        }
    }

    /// Begins again.
    pub(super) fn rewind(&mut self) -> io::Result<()> {
        (self.number, self.read) = (0, 0);
        self.file.rewind()
    }

    /// The next lines that aren't blank, so many at most; none at the end.
    pub(super) fn next(&mut self, most: usize) -> io::Result<Vec<Line>> {
        let mut lines = Vec::with_capacity(most);
        while lines.len() < most {
            let mut text = Vec::new();
            let read = (&mut self.file)
                .take(MAX_READ as u64)
                .read_until(b'\n', &mut text)?;
            if read == 0 {
                break;
            }
            self.number += 1;
            self.read += read as u64;
            if self.number == 1 && text.starts_with(BYTE_ORDER_MARK) {
                text.drain(..BYTE_ORDER_MARK.len());
            }
            match text.pop_if(|byte| *byte == b'\n') {
                Some(_) => drop(text.pop_if(|byte| *byte == b'\r')),
                None if read == MAX_READ => self.skip_line()?,
                None => {}
            }
            if !text.trim_ascii().is_empty() {
                lines.push(Line {
                    number: self.number,
                    text: (text.len() <= MAX_LINE).then_some(text),
                });
            }
        }
        Ok(lines)
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.file.fill_buf()?;
            let end = buffer.iter().position(|&byte| byte == b'\n');
            let skipped = end.map_or(buffer.len(), |end| end + 1);
            let is_end = end.is_some() || skipped == 0;
            self.file.consume(skipped);
            self.read += skipped as u64;
            if is_end {
                return Ok(());
            }
        }
    }
}

/// Rows of a table that become lines, each with the id that it has there.
pub struct Rows {
    lines: BufWriter<File>,
    ids: BufWriter<File>,
}

impl Rows {
    /// None yet. They are kept in files as [`Lines::keep`] has them.
    ///
    /// # Errors
    /// When they can't be kept.
    pub fn new(entropy: &dyn Entropy) -> io::Result<Self> {
        Ok(Self {
            lines: BufWriter::new(scratch_file(entropy)?),
            ids: BufWriter::new(scratch_file(entropy)?),
        })
    }

    /// One more. An id that is no number and no UUID may say who somebody is, and is not kept.
    pub(super) fn add(&mut self, line: &str, id: Option<&str>) -> io::Result<()> {
        let id = id.filter(|id| id.len() <= ID_LEN).unwrap_or_default();
        write!(self.ids, "{id:ID_LEN$}")?;
        writeln!(self.lines, "{line}")
    }

    /// The lines of all of them.
    ///
    /// # Errors
    /// When they can't be kept.
    pub fn into_lines(self) -> io::Result<Lines> {
        let whole = |kept: BufWriter<File>| kept.into_inner().map_err(io::IntoInnerError::into_error);
        let mut lines = Lines::new(whole(self.lines)?)?;
        lines.ids = Some(whole(self.ids)?);
        Ok(lines)
    }
}

/// A file of this process alone (mode 0600) that has no name any more: the system frees it, whatever happens.
///
/// # Errors
/// When the folder for scratch files (`TMPDIR`) doesn't take one.
pub(super) fn scratch_file(entropy: &dyn Entropy) -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("ringback-{}", entropy.uuid().simple()));
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    fn all(text: &str) -> Vec<(u64, Option<String>)> {
        let mut lines = Lines::keep(text.as_bytes(), &SystemEntropy).unwrap();
        let mut read = || {
            let mut all = Vec::new();
            loop {
                let next = lines.next(2).unwrap();
                if next.is_empty() {
                    lines.rewind().unwrap();
                    return all;
                }
                let text = |line: Line| line.text.map(|text| String::from_utf8(text).unwrap());
                all.extend(next.into_iter().map(|line| (line.number, text(line))));
            }
        };
        let first = read();
        assert_eq!(read(), first, "the second time");
        first
    }

    #[test]
    fn lines_have_their_numbers_and_blank_ones_are_passed_over() {
        let of = |number, text: &str| (number, Some(text.to_owned()));
        assert_eq!(
            all("\u{FEFF}one\n\n \r\ntwo\nthree"),
            [of(1, "one"), of(4, "two"), of(5, "three")]
        );
        assert_eq!(all(""), []);
    }

    #[test]
    fn a_line_without_an_end_is_not_read_whole() {
        let long = "x".repeat(200_000);
        let lines = all(&format!("one\n{long}\ntwo\n{long}"));
        let numbers: Vec<_> = lines
            .iter()
            .map(|(number, text)| (*number, text.is_some()))
            .collect();
        assert_eq!(numbers, [(1, true), (2, false), (3, true), (4, false)]);
    }
}
