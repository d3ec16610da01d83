//! What every step of the start works with.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    sync::{Arc, atomic::AtomicI64},
};

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{error::StartError, world::World};
use crate::{
    clock::Clock, entropy::Entropy, events::RefusalTally, secrets::Keyring, settings::Settings,
    supervision::Supervision,
};

/// The configuration and the world; the keys and the supervision that all rooms share.
pub(super) struct Base<'a> {
    pub(super) settings: &'a Settings,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) redis_clock_offset: Arc<AtomicI64>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) supervision: Supervision,
    pub(super) refusals: RefusalTally,
}

impl<'a> Base<'a> {
    pub(super) fn new(settings: &'a Settings, world: World) -> Result<Self, StartError> {
        let World {
            clock,
            entropy,
            redis_clock_offset,
        } = world;
        let keyring = match &settings.keyring {
            Some(keyring) => keyring.clone(),
            None => kept_keyring(&settings.data_dir, entropy.as_ref())?,
        };
        Ok(Self {
            settings,
            supervision: Supervision::new(Arc::clone(&clock)),
            refusals: RefusalTally::new(
                settings.events.refusals_per_minute,
                Arc::clone(&clock),
                Arc::clone(&entropy),
            ),
            clock,
            entropy,
            redis_clock_offset,
            keyring: Arc::new(keyring),
        })
    }
}

/// What a process does once: a second start in it finds it done.
pub(super) fn prepare_process() {
    // The one provider for every TLS connection.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// In development without a secret: one that is made once, and kept in the data folder.
fn kept_keyring(folder: &Path, entropy: &dyn Entropy) -> Result<Keyring, StartError> {
    let path = folder.join("secret");
    let failed = |source| StartError::File {
        path: path.clone(),
        source,
    };
    // It is this user's alone. A folder that is there already stays as somebody made it.
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(failed)?;
    match write_new_secret(&path, &BASE64_STANDARD.encode(entropy.bytes::<32>())) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let text = fs::read_to_string(&path).map_err(failed)?;
    Keyring::parse(text.trim()).map_err(|source| StartError::SecretFile {
        path: path.clone(),
        source,
    })
}

fn write_new_secret(path: &Path, secret: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{secret}")
}
