//! What is twice in a file, found in bounded memory: digests are laid into parts of a scratch file by their first bits, and
//! one part after the other is sorted.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Seek, Write},
};

use sha2::{Digest, Sha256};

use super::lines::scratch_file;
use crate::entropy::Entropy;

const PARTS: usize = 32;
const DIGEST_BYTES: usize = 16;
/// A digest, and the number of its line.
const RECORD_BYTES: usize = DIGEST_BYTES + 8;

/// A line that has what an earlier one has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Duplicate {
    pub line: u64,
    pub of: u64,
}

pub(super) struct Duplicates(Vec<BufWriter<File>>);

impl Duplicates {
    pub fn new(entropy: &dyn Entropy) -> io::Result<Self> {
        let parts = (0..PARTS).map(|_| scratch_file(entropy).map(BufWriter::new));
        parts.collect::<io::Result<_>>().map(Self)
    }

    /// Takes note of what must be once.
    pub fn add(&mut self, what: &str, value: &[u8], line: u64) -> io::Result<()> {
        let digest = Sha256::new()
            .chain_update(what)
            .chain_update([0])
            .chain_update(value)
            .finalize();
        let part = &mut self.0[usize::from(digest[0]) % PARTS];
        part.write_all(&digest[..DIGEST_BYTES])?;
        part.write_all(&line.to_be_bytes())
    }

    /// The lines that have what an earlier one has, in order.
    pub fn find(self) -> io::Result<Vec<Duplicate>> {
        let mut found = Vec::new();
        for part in self.0 {
            let mut part = part.into_inner().map_err(io::IntoInnerError::into_error)?;
            part.rewind()?;
            let mut bytes = Vec::new();
            part.read_to_end(&mut bytes)?;
            // By digest, then by line: the number is big-endian.
            let mut records: Vec<_> = bytes.chunks_exact(RECORD_BYTES).collect();
            records.sort_unstable();
            let same = records.chunk_by(|a, b| a[..DIGEST_BYTES] == b[..DIGEST_BYTES]);
            let line = |record: &[u8]| {
                let mut number = [0; 8];
                number.copy_from_slice(&record[DIGEST_BYTES..]);
                u64::from_be_bytes(number)
            };
            for same in same {
                let of = line(same[0]);
                found.extend(same[1..].iter().map(|record| Duplicate {
                    line: line(record),
                    of,
                }));
            }
        }
        found.sort_unstable();
        found.dedup_by_key(|duplicate| duplicate.line);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    #[test]
    fn later_lines_are_named_with_the_first() {
        let mut duplicates = Duplicates::new(&SystemEntropy).unwrap();
        for line in 1..=10_000_u64 {
            duplicates
                .add("email", &(line % 9_998).to_be_bytes(), line)
                .unwrap();
            duplicates.add("phone", &line.to_be_bytes(), line).unwrap();
        }
        let found = duplicates.find().unwrap();
        let of = |line, of| Duplicate { line, of };
        assert_eq!(found, [of(9_999, 1), of(10_000, 2)]);
    }
}
