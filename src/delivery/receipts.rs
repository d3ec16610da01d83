//! Who reads the receipts of which provider: by its name, so that nobody else knows one.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::provider::ReceiptReader;

/// The readers of the providers that are asked for receipts.
#[derive(Clone, Default)]
pub struct ReceiptReaders(BTreeMap<&'static str, Arc<dyn ReceiptReader>>);

impl ReceiptReaders {
    /// Has a provider's receipts read by this reader.
    pub fn add(&mut self, provider: &'static str, reader: Arc<dyn ReceiptReader>) {
        self.0.insert(provider, reader);
    }

    /// The reader of a provider's receipts, and the provider's name.
    pub fn find(&self, provider: &str) -> Option<(&'static str, &dyn ReceiptReader)> {
        let (name, reader) = self.0.get_key_value(provider)?;
        Some((name, reader.as_ref()))
    }

    /// The providers that are asked for receipts.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}

impl fmt::Debug for ReceiptReaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
