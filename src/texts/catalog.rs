//! The texts of one channel, by name and language.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{TextFault, TextFolder};
use crate::language::Language;

/// A text that the program carries: its name, and what it says in each language.
pub type Carried = (&'static str, &'static [(&'static str, &'static str)]);

/// The names of texts that the program carries.
pub const fn names<const N: usize>(carried: &[Carried; N]) -> [&'static str; N] {
    let (mut names, mut at) = ([""; N], 0);
    while at < N {
        names[at] = carried[at].0;
        at += 1;
    }
    names
}

/// Texts, each read into a `T`.
#[derive(Debug, Clone)]
pub struct Catalog<T> {
    by_name: BTreeMap<&'static str, BTreeMap<Language, T>>,
    /// In which there is some text.
    languages: BTreeSet<Language>,
    /// For whoever prefers none that there is. A text that isn't written in it is in the program's own language.
    fallback: Language,
}

impl<T> Default for Catalog<T> {
    fn default() -> Self {
        Self {
            by_name: BTreeMap::new(),
            languages: BTreeSet::new(),
            fallback: Language::default(),
        }
    }
}

impl<T> Catalog<T> {
    /// Reads the texts that the program carries, those of the folder in their place where it has some.
    ///
    /// # Errors
    /// Every fault that `read` finds in a text; else, that none is in the language for all others.
    pub fn load(
        carried: &[Carried],
        folder: &TextFolder,
        language: &Language,
        mut read: impl FnMut(&Path, &Language, &str) -> Result<T, Vec<TextFault>>,
    ) -> Result<Self, Vec<TextFault>> {
        let (mut catalog, mut faults) = (Self::default(), Vec::new());
        for &(name, texts) in carried {
            let built_in = texts.iter().filter_map(|(tag, text)| {
                let path = PathBuf::from(format!("{name}.{tag}.txt (built in)"));
                Some((Language::parse(tag)?, (path, *text)))
            });
            let own = folder.texts.iter().filter(|file| file.name == name);
            let own = own.map(|file| (file.language.clone(), (file.path.clone(), file.text.as_str())));
            // Of two of a language the last stays, which is the operator's.
            let texts: BTreeMap<_, _> = built_in.chain(own).collect();
            let by_language = catalog.by_name.entry(name).or_default();
            for (language, (path, text)) in texts {
                match read(&path, &language, text) {
                    Ok(text) => drop(by_language.insert(language, text)),
                    Err(found) => faults.extend(found),
                }
            }
        }
        let all = catalog.by_name.values().flat_map(BTreeMap::keys);
        catalog.languages = all.cloned().collect();
        let is_written = |tag: &String| catalog.languages.contains(tag.as_str());
        match varieties(language.as_str()).into_iter().find(is_written) {
            Some(tag) => catalog.fallback = Language::parse(&tag).unwrap_or_default(),
            // A text of it that is faulty is told already.
            None if faults.is_empty() => {
                let written: Vec<_> = catalog.languages.iter().map(Language::as_str).collect();
                faults.push(TextFault::NoSuchLanguage {
                    languages: written.join(", "),
                });
            }
            None => {}
        }
        if faults.is_empty() {
            Ok(catalog)
        } else {
            Err(faults)
        }
    }

    /// The text of this name in this language, or in what it is a variety of; else in the language for all others. None for
    /// a name that the program doesn't carry.
    pub fn get(&self, name: &str, language: &Language) -> Option<&T> {
        let texts = self.by_name.get(name)?;
        let mut varieties = varieties(language.as_str()).into_iter();
        let found = varieties.find_map(|tag| texts.get(tag.as_str()));
        found
            .or_else(|| texts.get(&self.fallback))
            .or_else(|| texts.get(&Language::default()))
    }

    /// The language for somebody who would read these, the dearest first: the first of them that there is a text in,
    /// itself or what it is a variety of.
    pub fn best_for<'a>(&self, ranges: impl IntoIterator<Item = &'a str>) -> Language {
        let known = |range| {
            let mut varieties = varieties(range).into_iter();
            varieties.find_map(|tag| self.languages.get(tag.as_str()))
        };
        let found = ranges.into_iter().find_map(known);
        found.unwrap_or(&self.fallback).clone()
    }

    /// Every text, with its name and language.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Language, &T)> {
        let texts = self.by_name.iter();
        texts.flat_map(|(name, texts)| texts.iter().map(|(language, text)| (*name, language, text)))
    }
}

/// A language range and what it is a variety of (RFC 4647 section 3.4): `pt-br`, then `pt`.
fn varieties(range: &str) -> Vec<String> {
    let mut tag = range.to_ascii_lowercase();
    let mut found = vec![tag.clone()];
    while let Some((rest, _)) = tag.rsplit_once('-') {
        let mut rest = rest.to_owned();
        // A letter alone begins an extension (`-u-`, `-x-`), and is nothing without it.
        if let Some((before, letter)) = rest.rsplit_once('-')
            && letter.len() == 1
        {
            rest = before.to_owned();
        }
        found.push(rest.clone());
        tag = rest;
    }
    found
}
