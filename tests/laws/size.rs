//! How long a file and a function may be.

use crate::{
    assert_exactly,
    code::{SOURCES, files},
};

/// Longer files are two files.
const MAX_LINES: usize = 400;

/// Longer functions are two functions; a handler does less still.
const MAX_FUNCTION: usize = 80;
const MAX_HANDLER: usize = 50;

/// Functions that are longer still, by file and name, and why. It gets shorter until it is empty.
const KNOWN: &[(&str, &str)] = &[];

/// Files that are longer still, and why. It gets shorter until it is empty.
const KNOWN_FILES: &[(&str, &str)] = &[];

#[test]
fn no_file_is_longer_than_it_is_readable() {
    let mut long = Vec::new();
    for folder in ["src", "tests", "benches", "loadtest"] {
        for (path, text) in files(folder, &[".rs", ".lua", ".py", ".js"]) {
            let lines = text.lines().count();
            if lines > MAX_LINES {
                long.push((path, vec![format!("{lines} lines, {MAX_LINES} at most")]));
            }
        }
    }
    let known = KNOWN_FILES.iter().map(|(file, _)| (*file).to_owned());
    assert_exactly(known, long);
}

#[test]
fn no_function_is_longer_than_it_is_readable() {
    let mut long = Vec::new();
    for file in SOURCES.iter() {
        let most = match file.path.starts_with("src/http/") {
            true => MAX_HANDLER,
            false => MAX_FUNCTION,
        };
        for function in file.functions() {
            if function.lines > most {
                let place = format!("{}: {}", file.path, function.name);
                let why = format!("line {}: {} lines, {most} at most", function.line, function.lines);
                long.push((place, vec![why]));
            }
        }
    }
    let known = KNOWN.iter().map(|(function, _)| (*function).to_owned());
    assert_exactly(known, long);
}
