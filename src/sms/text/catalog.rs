//! The texts of all languages: those that the program carries, replaced and joined by those in the operator's folder.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Brand,
    alphabet::segments,
    template::{Flaw, Template},
};
use crate::{
    channel::{MessageCode, MessageText},
    language::Language,
};

/// What a code is sent for, as it begins a file's name.
const PURPOSE: &str = "verify";
/// The texts that the program carries.
const CARRIED: [(&str, &str); 8] = [
    ("ar", include_str!("../../../config/messages/verify.ar.txt")),
    ("de", include_str!("../../../config/messages/verify.de.txt")),
    ("en", include_str!("../../../config/messages/verify.en.txt")),
    ("es", include_str!("../../../config/messages/verify.es.txt")),
    ("fr", include_str!("../../../config/messages/verify.fr.txt")),
    ("hi", include_str!("../../../config/messages/verify.hi.txt")),
    ("ja", include_str!("../../../config/messages/verify.ja.txt")),
    ("pt", include_str!("../../../config/messages/verify.pt.txt")),
];
/// More than this is paid for too often to be meant.
const MAX_SEGMENTS: usize = 3;
/// Three segments are 459 signs; what is larger than this is no text.
const MAX_BYTES: u64 = 4096;
/// Files in the folder.
const MAX_FILES: usize = 500;

/// What all texts have in common (`[sms]` in the configuration).
#[derive(Debug, Clone)]
pub struct TextOptions {
    pub brand: Brand,
    /// For whoever prefers none of the languages that there are.
    pub language: Language,
    /// The site that browsers may fill the code in at.
    pub webotp_domain: Option<String>,
    /// The Android app that may read the SMS.
    pub android_hash: Option<String>,
    /// Digits of a code.
    pub code_length: u8,
    /// How long a code lives: the longest that is said of one.
    pub ttl: Duration,
}

impl Default for TextOptions {
    /// As `config/default.toml` has it.
    fn default() -> Self {
        Self {
            brand: Brand::default(),
            language: Language::default(),
            webotp_domain: None,
            android_hash: None,
            code_length: 6,
            ttl: Duration::from_secs(600),
        }
    }
}

/// Why the texts are refused: one line for each fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextFault {
    /// Something is wrong with a file, or at a place in it.
    File {
        path: PathBuf,
        line: Option<usize>,
        column: Option<usize>,
        why: String,
    },
    /// No text is in the language that stands in for all others.
    NoSuchLanguage { languages: String },
}

/// Every text, ready to be filled in.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    brand: Brand,
    webotp_domain: Option<String>,
    android_hash: Option<String>,
    language: Language,
    by_language: BTreeMap<Language, Template>,
    /// The text of `language`.
    fallback: Template,
    /// Languages whose text takes more than one segment, and how many.
    long: Vec<(Language, usize)>,
}

impl Texts {
    /// The texts that the program carries, those in `folder` in their place where it has some. A file is named
    /// `verify.LANGUAGE.txt`; what doesn't end in `.txt`, or begins with a dot, is none of ours.
    ///
    /// # Errors
    /// Every fault of every file.
    pub fn load(options: &TextOptions, folder: Option<&Path>) -> Result<Self, Vec<TextFault>> {
        let mut faults = Vec::new();
        let mut files = BTreeMap::new();
        for (tag, text) in CARRIED {
            let path = PathBuf::from(format!("{PURPOSE}.{tag}.txt (built in)"));
            files.extend(Language::parse(tag).map(|language| (language, (path, text.to_owned()))));
        }
        if let Some(folder) = folder {
            let found = read_folder(folder).unwrap_or_else(|fault| {
                faults.push(fault);
                Vec::new()
            });
            let mut seen = BTreeMap::new();
            for path in found {
                match read_file(&path) {
                    Ok((language, text)) => match seen.insert(language.clone(), path.clone()) {
                        None => drop(files.insert(language, (path, text))),
                        Some(first) => {
                            faults.push(file_fault(
                                &path,
                                format!("the language of {} again", first.display()),
                            ));
                        }
                    },
                    Err(why) => faults.push(file_fault(&path, why)),
                }
            }
        }
        let mut texts = Self {
            brand: options.brand.clone(),
            webotp_domain: options.webotp_domain.clone(),
            android_hash: options.android_hash.clone(),
            ..Self::default()
        };
        for (language, (path, text)) in files {
            match Template::parse(&text) {
                Ok(template) => match texts.longest(&template, options) {
                    count if count > MAX_SEGMENTS => faults.push(file_fault(
                        &path,
                        format!("takes {count} segments, with brand, code and what follows: {MAX_SEGMENTS} at most"),
                    )),
                    count => {
                        texts
                            .long
                            .extend((count > 1).then(|| (language.clone(), count)));
                        texts.by_language.insert(language, template);
                    }
                },
                Err(flaws) => faults.extend(flaws.into_iter().map(|flaw| flaw_fault(&path, flaw))),
            }
        }
        let found = texts.find(options.language.as_str());
        match found.map(|(language, text)| (language.clone(), text.clone())) {
            Some(found) => (texts.language, texts.fallback) = found,
            // A text of it that is faulty is told already.
            None if faults.is_empty() => {
                let languages: Vec<_> = texts.by_language.keys().map(Language::as_str).collect();
                faults.push(TextFault::NoSuchLanguage {
                    languages: languages.join(", "),
                });
            }
            None => {}
        }
        if faults.is_empty() { Ok(texts) } else { Err(faults) }
    }

    /// The message for a code that is good for `life`.
    ///
    /// The minutes are rounded to the nearest, and at least one: a code that was held up for a while says what is left.
    pub fn compose(&self, language: &Language, code: &MessageCode, life: Duration) -> MessageText {
        let found = self.find(language.as_str());
        let template = found.map_or(&self.fallback, |(_, template)| template);
        MessageText::new(self.fill(template, code, life))
    }

    /// The language for somebody who would read these, the dearest first: the first of them that there is a text in,
    /// itself or what it is a variety of (RFC 4647 section 3.4: `pt-BR`, then `pt`).
    pub fn best_for<'a>(&self, ranges: impl IntoIterator<Item = &'a str>) -> Language {
        let found = ranges.into_iter().find_map(|range| self.find(range));
        found.map_or(&self.language, |(language, _)| language).clone()
    }

    /// Texts that take more than one segment, by their language, with how many: each code in them costs as many SMS.
    pub fn long(&self) -> &[(Language, usize)] {
        &self.long
    }

    fn find(&self, range: &str) -> Option<(&Language, &Template)> {
        let lower = range.to_ascii_lowercase();
        let mut tag = lower.as_str();
        loop {
            if let Some(found) = self.by_language.get_key_value(tag) {
                return Some(found);
            }
            (tag, _) = tag.rsplit_once('-')?;
            // A letter alone begins an extension (`-u-`, `-x-`), and is nothing without it.
            if let Some((rest, letter)) = tag.rsplit_once('-')
                && letter.len() == 1
            {
                tag = rest;
            }
        }
    }

    fn fill(&self, template: &Template, code: &MessageCode, life: Duration) -> String {
        let minutes = (life.as_secs_f64() / 60.0).round().max(1.0);
        // Exact: a code lives for some minutes.
        let mut text = template.fill(&self.brand, code, minutes as u64);
        if let Some(domain) = &self.webotp_domain {
            // What browsers read is the last line: the site, one space, the code; what follows in it they pass over.
            text.push_str(&format!("\n@{domain} #{}", code.expose()));
        }
        if let Some(hash) = &self.android_hash {
            // What Android reads is the end. On a line of its own it would hide the site from browsers.
            text.push(if self.webotp_domain.is_some() { ' ' } else { '\n' });
            text.push_str(hash);
        }
        text
    }

    /// The segments of a text at its longest.
    fn longest(&self, template: &Template, options: &TextOptions) -> usize {
        let code = MessageCode::new("0".repeat(usize::from(options.code_length)));
        segments(&self.fill(template, &code, options.ttl))
    }
}

fn file_fault(path: &Path, why: String) -> TextFault {
    TextFault::File {
        path: path.to_owned(),
        line: None,
        column: None,
        why,
    }
}

fn flaw_fault(path: &Path, flaw: Flaw) -> TextFault {
    TextFault::File {
        path: path.to_owned(),
        line: Some(flaw.line),
        column: Some(flaw.column),
        why: flaw.why,
    }
}

/// The files that are meant to be texts, by their names.
fn read_folder(folder: &Path) -> Result<Vec<PathBuf>, TextFault> {
    let is_meant = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        name.is_some_and(|name| name.ends_with(".txt") && !name.starts_with('.'))
    };
    let listed: io::Result<Vec<_>> =
        fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut files =
        listed.map_err(|error| file_fault(folder, format!("cannot be read ({})", error.kind())))?;
    files.retain(is_meant);
    files.sort();
    if files.len() > MAX_FILES {
        return Err(file_fault(folder, format!("more than {MAX_FILES} texts")));
    }
    Ok(files)
}

fn read_file(path: &Path) -> Result<(Language, String), String> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let named = name.strip_suffix(".txt").and_then(|stem| stem.split_once('.'));
    let language = named
        .filter(|(purpose, _)| *purpose == PURPOSE)
        .and_then(|(_, tag)| Language::parse(tag))
        .ok_or_else(|| {
            format!("not the name of a text: must be {PURPOSE}.LANGUAGE.txt, such as {PURPOSE}.pt-br.txt")
        })?;
    let mut bytes = Vec::new();
    File::open(path)
        // One byte more than allowed is enough to know.
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read ({})", error.kind()))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("larger than {MAX_BYTES} bytes"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok((language, text)),
        Err(error) => Err(format!(
            "not UTF-8, at byte {}",
            error.utf8_error().valid_up_to() + 1
        )),
    }
}

#[cfg(test)]
mod tests;
