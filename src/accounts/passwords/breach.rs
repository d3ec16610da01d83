//! A list of passwords that were stolen elsewhere, as Have I Been Pwned publishes it: one line for each password, its
//! SHA-1 in hexadecimal, a colon, and how often it was seen; sorted by the hash. It has gigabytes, so it stays on the disk
//! and is searched there, by halves.

use std::{
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    str,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sha1::{Digest, Sha1};
use thiserror::Error;
use tokio::sync::Semaphore;

use super::Password;

/// What a line may have at most, with its end: 40 digits, a colon, a count.
const MAX_LINE: usize = 64;
/// Two lines at least, so that a whole one is in it wherever it begins.
const WINDOW: usize = 2 * MAX_LINE;
/// Look-ups at a time; others wait for one to end, which takes some thirty small reads.
const AT_ONCE: usize = 8;
/// How many places of the file are looked at when it is checked.
const SAMPLES: u64 = 64;

/// A SHA-1 in hexadecimal, as lines begin.
type Key = [u8; 40];

/// Why a file is no list of stolen passwords.
#[derive(Debug, Error)]
pub enum BreachFileError {
    #[error("passwords.breach_file: {path} can't be read ({kind})")]
    Read { path: PathBuf, kind: ErrorKind },
    #[error(
        "passwords.breach_file: {0} is no list of SHA-1 hashes as Have I Been Pwned publishes it: lines HASH:COUNT, \
         sorted by the hash"
    )]
    Format(PathBuf),
}

/// The list. Cheap to clone.
#[derive(Debug, Clone)]
pub struct BreachFile {
    path: Arc<Path>,
    at_once: Arc<Semaphore>,
    /// It could not be read, and that was said.
    told: Arc<AtomicBool>,
}

impl BreachFile {
    /// Takes a file that reads as such a list at its beginning, its end and many places between.
    ///
    /// # Errors
    /// [`BreachFileError`].
    pub fn open(path: &Path) -> Result<Self, BreachFileError> {
        let path: Arc<Path> = path.into();
        check(&path).map_err(|error| match error.kind() {
            ErrorKind::InvalidData => BreachFileError::Format(path.to_path_buf()),
            kind => BreachFileError::Read {
                path: path.to_path_buf(),
                kind,
            },
        })?;
        Ok(Self {
            path,
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
            told: Arc::default(),
        })
    }

    /// Whether the password is in the list. A list that can't be read any more refuses nobody: that is said once, and
    /// again after it could be read in between.
    pub async fn has(&self, password: &Password) -> bool {
        let (path, wanted) = (Arc::clone(&self.path), key_of(password));
        // The semaphore is never closed.
        let _turn = self.at_once.acquire().await.ok();
        let looked = tokio::task::spawn_blocking(move || look_up(&path, &wanted)).await;
        match looked.unwrap_or_else(|_| Err(ErrorKind::Other.into())) {
            Ok(found) => {
                self.told.store(false, Ordering::Relaxed);
                found
            }
            Err(error) => {
                if !self.told.swap(true, Ordering::Relaxed) {
                    let kind = error.kind();
                    tracing::warn!(error = %kind, "the list of stolen passwords can't be read: new passwords are not compared with it");
                }
                false
            }
        }
    }
}

fn key_of(password: &Password) -> Key {
    let mut key = [0; 40];
    for (at, byte) in Sha1::digest(password.bytes()).iter().enumerate() {
        for (half, digit) in [byte >> 4, byte & 15].into_iter().enumerate() {
            key[2 * at + half] = b"0123456789ABCDEF"[usize::from(digit)];
        }
    }
    key
}

fn check(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    let mut last = first_line(&file, 0, len)?.ok_or(ErrorKind::InvalidData)?;
    for sample in 1..SAMPLES {
        let Some((at, key)) = next_line(&file, len / SAMPLES * sample, len)? else {
            break;
        };
        // A small file has fewer lines than there are samples.
        let is_same = at == last.0 && key == last.1;
        if !is_same && key <= last.1 {
            return Err(ErrorKind::InvalidData.into());
        }
        last = (at, key);
    }
    Ok(())
}

/// By halves: as many steps as the length has bits, each of two small reads at most.
fn look_up(path: &Path, wanted: &Key) -> io::Result<bool> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    // Where the line may begin: what begins before `low` is smaller, what begins at `high` or behind is greater.
    let (mut low, mut high) = (0, len);
    if first_line(&file, 0, len)?.is_some_and(|(_, key)| key == *wanted) {
        return Ok(true);
    }
    while low < high {
        let middle = low + (high - low) / 2;
        match next_line(&file, middle, len)? {
            Some((_, key)) if key == *wanted => return Ok(true),
            Some((at, key)) if key < *wanted => low = at.max(middle + 1),
            _ => high = middle,
        }
    }
    Ok(false)
}

/// The first line that begins behind the place, and where.
fn next_line(file: &File, place: u64, len: u64) -> io::Result<Option<(u64, Key)>> {
    let mut window = [0; WINDOW];
    let read = read_at(file, &mut window, place)?;
    let Some(end) = window[..read].iter().position(|&byte| byte == b'\n') else {
        // Of the last line, or of no list.
        return if place + read as u64 >= len {
            Ok(None)
        } else {
            Err(ErrorKind::InvalidData.into())
        };
    };
    first_line(file, place + end as u64 + 1, len)
}

/// The line that begins at the place.
fn first_line(file: &File, place: u64, len: u64) -> io::Result<Option<(u64, Key)>> {
    let mut line = [0; MAX_LINE];
    let read = read_at(file, &mut line, place)?;
    let line = line[..read]
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    if line.trim_ascii().is_empty() && place + read as u64 >= len {
        return Ok(None);
    }
    let (key, rest) = line.split_at_checked(40).ok_or(ErrorKind::InvalidData)?;
    let mut key: Key = key.try_into().map_err(|_| ErrorKind::InvalidData)?;
    let is_line = key.iter().all(u8::is_ascii_hexdigit)
        && str::from_utf8(rest.trim_ascii_end())
            .ok()
            .and_then(|rest| rest.strip_prefix(':'))
            .is_some_and(|count| count.parse::<u64>().is_ok());
    if !is_line {
        return Err(ErrorKind::InvalidData.into());
    }
    key.make_ascii_uppercase();
    Ok(Some((place, key)))
}

/// Reads until the buffer is full or the file ends.
fn read_at(file: &File, buffer: &mut [u8], place: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], place + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

#[cfg(test)]
#[path = "breach_tests.rs"]
mod tests;
