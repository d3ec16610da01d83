//! The hashes of other systems, computed: PBKDF2, bcrypt, scrypt.

use sha1::Sha1;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::cost::ScryptCost;

/// bcrypt reads so many bytes of a password, and no more.
const BCRYPT_BYTES: usize = 72;

/// PBKDF2 with HMAC-SHA-256.
pub(super) fn pbkdf2(password: &[u8], salt: &[u8], iterations: u32, output: &mut [u8]) {
    pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, output);
}

/// PBKDF2 with HMAC-SHA-1.
pub(super) fn pbkdf2_sha1(password: &[u8], salt: &[u8], iterations: u32, output: &mut [u8]) {
    pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, iterations, output);
}

/// bcrypt of a password with a zero behind it, cut to 72 bytes. `None` without a salt of 16 bytes.
pub(super) fn bcrypt(password: &[u8], salt: &[u8], cost: u32) -> Option<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new([0; BCRYPT_BYTES]);
    let len = password.len().min(BCRYPT_BYTES);
    text[..len].copy_from_slice(&password[..len]);
    let read = &text[..(len + 1).min(BCRYPT_BYTES)];
    let output = Zeroizing::new(bcrypt::bcrypt(cost, salt.try_into().ok()?, read));
    // The last byte is not stored.
    Some(Zeroizing::new(output[..output.len() - 1].to_vec()))
}

/// What Django has bcrypt read, so that no byte of a long password is lost.
pub(super) fn sha256_in_hex(password: &[u8]) -> Zeroizing<Vec<u8>> {
    let digest = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(password)));
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    Zeroizing::new(
        digits
            .map(|digit| b"0123456789abcdef"[usize::from(digit)])
            .collect(),
    )
}

/// scrypt (RFC 7914). `None` for what it doesn't take.
pub(super) fn scrypt(password: &[u8], salt: &[u8], cost: ScryptCost, output: &mut [u8]) -> Option<()> {
    let params = scrypt::Params::new(cost.log_n, cost.r, cost.p).ok()?;
    scrypt::scrypt(password, salt, &params, output).ok()
}
