//! The operator's folder of texts: its files, read once and checked for what all of them have in common.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::TextFault;
use crate::language::Language;

/// What is larger than this is no text.
const MAX_BYTES: u64 = 16 * 1024;
/// Files in the folder.
const MAX_FILES: usize = 500;

/// A file of the folder.
#[derive(Debug, Clone)]
pub(super) struct TextFile {
    pub path: PathBuf,
    /// What is before the language in its name.
    pub name: String,
    pub language: Language,
    pub text: String,
}

/// What is in the folder; nothing where there is none.
#[derive(Debug, Clone, Default)]
pub struct TextFolder {
    pub(super) texts: Vec<TextFile>,
    pages: Vec<(PathBuf, String)>,
}

impl TextFolder {
    /// Reads a folder: texts of these names, in files named `NAME.LANGUAGE.txt`, and pages by the names of their files. What
    /// ends in neither `.txt` nor `.html`, or begins with a dot, is left alone. Answers what was sound beside every fault.
    pub fn read(folder: &Path, names: &[&str], pages: &[&str]) -> (Self, Vec<TextFault>) {
        let (mut found, mut faults) = (Self::default(), Vec::new());
        let files = list(folder).unwrap_or_else(|fault| {
            faults.push(fault);
            Vec::new()
        });
        for path in files {
            let taken = match path.extension().is_some_and(|ending| ending == "html") {
                true => page(&path, pages).map(|text| found.pages.push((path.clone(), text))),
                false => text(&path, names).and_then(|file| found.add(file)),
            };
            faults.extend(taken.err().map(|why| TextFault::file(path, why)));
        }
        (found, faults)
    }

    /// The page of this file name, if the folder has one.
    pub fn page(&self, name: &str) -> Option<(&Path, &str)> {
        let is_named = |path: &Path| path.file_name().is_some_and(|file| file == name);
        let mut pages = self
            .pages
            .iter()
            .map(|(path, text)| (path.as_path(), text.as_str()));
        pages.find(|(path, _)| is_named(path))
    }

    fn add(&mut self, file: TextFile) -> Result<(), String> {
        let is_same = |known: &&TextFile| (&known.name, &known.language) == (&file.name, &file.language);
        match self.texts.iter().find(is_same) {
            Some(first) => Err(format!("the language of {} again", first.path.display())),
            None => {
                self.texts.push(file);
                Ok(())
            }
        }
    }
}

/// The files that are meant to be texts or pages, by their names.
fn list(folder: &Path) -> Result<Vec<PathBuf>, TextFault> {
    let is_meant = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        name.is_some_and(|name| (name.ends_with(".txt") || name.ends_with(".html")) && !name.starts_with('.'))
    };
    let listed: io::Result<Vec<_>> =
        fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut files =
        listed.map_err(|error| TextFault::file(folder, format!("cannot be read ({})", error.kind())))?;
    files.retain(is_meant);
    files.sort();
    if files.len() > MAX_FILES {
        return Err(TextFault::file(folder, format!("more than {MAX_FILES} texts")));
    }
    Ok(files)
}

fn file_name(path: &Path) -> &str {
    let name = path.file_name().and_then(|name| name.to_str());
    name.unwrap_or_default()
}

fn text(path: &Path, names: &[&str]) -> Result<TextFile, String> {
    let stem = file_name(path).strip_suffix(".txt");
    let parts = stem.and_then(|stem| stem.split_once('.'));
    let known = parts.filter(|(name, _)| names.contains(name));
    let (name, language) = known
        .and_then(|(name, tag)| Some((name, Language::parse(tag)?)))
        .ok_or_else(|| {
            let example = names.first().copied().unwrap_or("NAME");
            let names = names.join(" or ");
            format!(
                "not the name of a text: must be NAME.LANGUAGE.txt, such as {example}.pt-br.txt, and NAME must be {names}"
            )
        })?;
    Ok(TextFile {
        path: path.to_owned(),
        name: name.to_owned(),
        language,
        text: read(path)?,
    })
}

fn page(path: &Path, pages: &[&str]) -> Result<String, String> {
    match pages.contains(&file_name(path)) {
        true => read(path),
        false => Err(format!("not the name of a page: must be {}", pages.join(" or "))),
    }
}

fn read(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    File::open(path)
        // One byte more than allowed is enough to know.
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read ({})", error.kind()))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("larger than {MAX_BYTES} bytes"));
    }
    String::from_utf8(bytes)
        .map_err(|error| format!("not UTF-8, at byte {}", error.utf8_error().valid_up_to() + 1))
}
