//! The source as the compiler reads it: paths, tokens and functions, each with its line and whether it is for tests alone.

use std::{
    collections::{HashMap, HashSet},
    fs,
    ops::RangeInclusive,
    path::Path,
    sync::LazyLock,
};

use crate::{
    lexer::{self, Token},
    reader::Reader,
};

/// A file of Rust.
pub struct File {
    /// From the folder of `Cargo.toml`.
    pub path: String,
    /// The module that it is, from the root of its crate: `limits::file` for `src/limits/file/mod.rs`.
    pub module: Vec<String>,
    /// For tests alone, in whole.
    pub is_test: bool,
    pub tokens: Vec<Token>,
    pub uses: Vec<Use>,
    pub functions: Vec<Function>,
    pub tests: Vec<RangeInclusive<usize>>,
    pub inline: Vec<(RangeInclusive<usize>, String)>,
    pub items: HashSet<String>,
    /// The modules that it declares for tests, in files of their own.
    pub test_modules: Vec<Vec<String>>,
}

/// A path of two names at least, from a `use` or from the code.
pub struct Use {
    pub path: Vec<String>,
    pub line: usize,
    /// What the path is called here, where it is a `use`. `*` for all that is in it.
    pub alias: Option<String>,
    /// It offers to others what it names, and needs it not itself.
    pub is_offer: bool,
}

pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
}

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
pub enum Target {
    /// A module or an item of this package, from its root.
    Ours(Vec<String>),
    /// Another crate, or a type in scope.
    Other(Vec<String>),
}

/// All Rust under `src`.
pub static SOURCES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let mut files: Vec<File> = files("src", &[".rs"])
        .iter()
        .map(|(path, text)| File::parse(path, text))
        .collect();
    // `#[cfg(test)] mod tests;` makes a file of its own one for tests.
    let tests: Vec<Vec<String>> = files.iter().flat_map(|file| file.test_modules.clone()).collect();
    for file in &mut files {
        file.is_test = tests.iter().any(|module| file.module.starts_with(module));
    }
    files
});

/// All files with one of these endings under a folder, and their texts.
pub fn files(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, mut folders) = (Vec::new(), vec![root.join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let relative = path.strip_prefix(root).unwrap().to_str().unwrap();
                found.push((relative.to_owned(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "nothing in {folder}");
    found.sort();
    found
}

impl File {
    pub fn parse(path: &str, text: &str) -> Self {
        let mut file = Self {
            path: path.to_owned(),
            module: module(path),
            is_test: false,
            tokens: lexer::tokens(text),
            uses: Vec::new(),
            functions: Vec::new(),
            tests: Vec::new(),
            inline: Vec::new(),
            items: HashSet::new(),
            test_modules: Vec::new(),
        };
        Reader { file: &mut file }.read();
        file
    }

    fn is_test_line(&self, line: usize) -> bool {
        self.is_test || self.tests.iter().any(|lines| lines.contains(&line))
    }

    /// Whether it is in one of these places: files of this name, folders that end in `/`, or whole paths.
    pub fn is_in(&self, places: &[&str]) -> bool {
        let name = self.path.rsplit('/').next().unwrap();
        places.iter().any(|place| match place.strip_suffix('/') {
            Some(_) => self.path.starts_with(place),
            None if place.contains('/') => self.path == *place,
            None => name == *place,
        })
    }

    /// The paths that its code uses; those of tests too where they are asked for.
    pub fn uses(&self, tests_too: bool) -> impl Iterator<Item = &Use> {
        let uses = self.uses.iter();
        uses.filter(move |used| tests_too || !self.is_test_line(used.line))
    }

    /// Its functions, without those of tests.
    pub fn functions(&self) -> impl Iterator<Item = &Function> {
        let functions = self.functions.iter();
        functions.filter(|function| !self.is_test_line(function.line))
    }

    /// Its tokens, without those of tests.
    pub fn code(&self) -> impl Iterator<Item = &Token> {
        let tokens = self.tokens.iter();
        tokens.filter(|token| !self.is_test_line(token.line))
    }

    /// Where a path that stands in it leads.
    pub fn resolve(&self, path: &Use) -> Target {
        let own = path.alias.as_deref();
        self.resolve_names(&path.path, path.line, own)
    }

    fn resolve_names(&self, path: &[String], line: usize, own: Option<&str>) -> Target {
        let mut module = self.module.clone();
        module.extend(
            self.inline
                .iter()
                .filter(|(lines, _)| lines.contains(&line))
                .map(|(_, name)| name.clone()),
        );
        let (first, rest) = path.split_first().unwrap();
        let from = |mut base: Vec<String>, rest: &[String]| {
            base.extend(rest.iter().cloned());
            Target::Ours(base)
        };
        match first.as_str() {
            "" => Target::Other(rest.to_vec()),
            "crate" | "ringback" => from(Vec::new(), rest),
            "self" => from(module, rest),
            "super" => {
                module.pop();
                match rest.first().map(String::as_str) {
                    Some("super") => {
                        module.pop();
                        from(module, &rest[1..])
                    }
                    _ => from(module, rest),
                }
            }
            _ => {
                // A name that a `use` of this file brought in.
                let known = self
                    .uses
                    .iter()
                    .find(|known| known.alias.as_ref() == Some(first) && own != Some(first));
                if let Some(known) = known.filter(|known| known.path.first() != Some(first)) {
                    return match self.resolve_names(&known.path, known.line, known.alias.as_deref()) {
                        Target::Ours(base) => from(base, rest),
                        Target::Other(mut base) => {
                            base.extend(rest.iter().cloned());
                            Target::Other(base)
                        }
                    };
                }
                // A module that is declared here.
                let here = self.items.contains(&format!("mod {first}"));
                match here {
                    true => from(self.module.clone(), path),
                    false => Target::Other(path.to_vec()),
                }
            }
        }
    }

    /// Whether it defines this item itself.
    pub fn defines(&self, item: &str) -> bool {
        self.items.contains(item)
    }
}

/// The module of a file under `src`, from the root of its crate.
fn module(path: &str) -> Vec<String> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut module: Vec<String> = path.split('/').map(str::to_owned).collect();
    if let Some("mod" | "lib" | "main") = module.last().map(String::as_str) {
        module.pop();
    }
    module
}

/// The files of the library, by the modules that they are.
pub static BY_MODULE: LazyLock<HashMap<&'static [String], &'static File>> = LazyLock::new(|| {
    let library = SOURCES.iter().filter(|file| !file.path.starts_with("src/bin/"));
    library.map(|file| (&file.module[..], file)).collect()
});
