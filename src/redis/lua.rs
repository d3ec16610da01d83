//! Scripts put together of chunks that define functions and of what uses them.
//!
//! Redis runs a script from its first line at each call, and takes 0.1 µs to make one of its functions. So a script gets those that it
//! calls, and what only a rare part of it calls is made where that part begins: between a line `--cold` and one `--end`. Of the
//! variables of a chunk it gets those that are named.

use std::collections::HashSet;

use ::redis::Script;

const COLD: &str = "--cold";
const END: &str = "--end";
/// How a function begins, at the begin of a line; it ends with a line that is `end`.
const FUNCTION: &str = "local function ";
/// How what names variables begins.
const VARIABLE: &str = "local ";

/// A script of what it does and of the chunks before it, whose functions it may call.
pub fn script(chunks: &[&str], main: &str) -> Script {
    Script::new(&text_of(chunks, main))
}

/// The same as a text.
pub fn text_of(chunks: &[&str], main: &str) -> String {
    let mut library = Library::default();
    let mut variables = Vec::new();
    for chunk in chunks {
        library.add(chunk, &mut variables);
    }
    variables.retain(|line| !is_comment(line));
    let mut lines = Vec::new();
    library.expand(&main.lines().collect::<Vec<_>>(), &[], &mut lines);
    [
        needed(&variables, &lines),
        lines.into_iter().map(str::to_owned).collect(),
    ]
    .concat()
    .join("\n")
}

/// Of lines that each name variables and their values (`local a, b = 1, 2`) what the lines after them name.
fn needed(variables: &[&str], lines: &[&str]) -> Vec<String> {
    let mut named: HashSet<&str> = lines.iter().copied().flat_map(names).collect();
    let mut needed = Vec::with_capacity(variables.len());
    for line in variables.iter().rev() {
        let Some((variables, values)) = line
            .strip_prefix(VARIABLE)
            .and_then(|line| line.split_once(" = "))
        else {
            named.extend(names(line));
            needed.push((*line).to_owned());
            continue;
        };
        let pairs = variables.split(", ").zip(values.split(", "));
        let (kept, values): (Vec<_>, Vec<_>) = pairs.filter(|(name, _)| named.contains(name)).unzip();
        if !kept.is_empty() {
            named.extend(values.iter().copied().flat_map(names));
            needed.push([VARIABLE, &kept.join(", "), " = ", &values.join(", ")].concat());
        }
    }
    needed.reverse();
    needed
}

/// The words of a line.
fn names(line: &str) -> impl Iterator<Item = &str> {
    line.split(|character: char| !is_of_name(character))
}

fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Functions of chunks, each after those that it calls.
#[derive(Default)]
struct Library<'a>(Vec<(&'a str, Vec<&'a str>)>);

/// A line that always runs, or a part that seldom does.
enum Piece<'a, 'b> {
    Hot(&'a str),
    Cold(&'b [&'a str]),
}

impl<'a> Library<'a> {
    /// Takes a chunk's functions; `rest` gets what stands between them.
    fn add(&mut self, chunk: &'a str, rest: &mut Vec<&'a str>) {
        let mut lines = chunk.lines();
        while let Some(line) = lines.next() {
            let Some((name, _)) = line
                .strip_prefix(FUNCTION)
                .and_then(|signature| signature.split_once('('))
            else {
                rest.push(line);
                continue;
            };
            let mut function = vec![line];
            while !function
                .last()
                .is_some_and(|last| *last == "end" || last.starts_with(FUNCTION) && last.ends_with(" end"))
            {
                let Some(line) = lines.next() else { break };
                function.push(line);
            }
            self.0.push((name, function));
        }
    }

    /// Adds lines, and before them the functions that they call and that are not among the `known` ones.
    fn expand(&self, lines: &[&'a str], known: &[&'a str], text: &mut Vec<&'a str>) {
        let mut hot: Vec<&str> = hot(lines).collect();
        let mut known = known.to_vec();
        let mut wanted = Vec::new();
        for (name, function) in self.0.iter().rev() {
            if !known.contains(name) && hot.iter().any(|line| calls(line, name)) {
                hot.extend(self::hot(function));
                wanted.push(function);
                known.push(name);
            }
        }
        for function in wanted.into_iter().rev() {
            self.emit(function, &known, text);
        }
        self.emit(lines, &known, text);
    }

    fn emit(&self, lines: &[&'a str], known: &[&'a str], text: &mut Vec<&'a str>) {
        for piece in pieces(lines) {
            match piece {
                Piece::Hot(line) => text.push(line),
                Piece::Cold(lines) => self.expand(lines, known, text),
            }
        }
    }
}

fn hot<'a>(lines: &[&'a str]) -> impl Iterator<Item = &'a str> {
    pieces(lines).into_iter().filter_map(|piece| match piece {
        Piece::Hot(line) => Some(line),
        Piece::Cold(_) => None,
    })
}

fn pieces<'a, 'b>(mut lines: &'b [&'a str]) -> Vec<Piece<'a, 'b>> {
    let mut pieces = Vec::new();
    while let Some((line, rest)) = lines.split_first() {
        lines = rest;
        if line.trim() == COLD {
            let length = rest.iter().take_while(|line| line.trim() != END).count();
            let (cold, rest) = rest.split_at(length);
            pieces.push(Piece::Cold(cold));
            lines = rest.get(1..).unwrap_or_default();
        } else if !is_comment(line) {
            pieces.push(Piece::Hot(line));
        }
    }
    pieces
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("--")
}

/// Whether a line calls a function of this name.
fn calls(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let (before, behind) = (&line[..at], &line[at + name.len()..]);
        behind.starts_with('(') && !before.ends_with(is_of_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: &str = "-- A chunk.
local a, b, c = 1, 2, 3
local d = c
local function inner(x) return x end
-- Says inner(2).
local function unused(x)
  return inner(x)
end
local function rare(x)
  return inner(x) + 1
end
local function outer(x)
  if x == 9 then
    --cold
    return rare(x)
    --end
  end
  return x
end";

    #[test]
    fn a_script_has_the_functions_that_it_calls_where_it_calls_them() {
        let expected = "local a = 1
local function outer(x)
  if x == 9 then
local function inner(x) return x end
local function rare(x)
  return inner(x) + 1
end
    return rare(x)
  end
  return x
end
return outer(a)";
        assert_eq!(text_of(&[CHUNK], "-- Says it.\nreturn outer(a)"), expected);
        assert_eq!(
            text_of(&[CHUNK], "return router(a)"),
            "local a = 1\nreturn router(a)"
        );
        assert_eq!(
            text_of(&[CHUNK], "return b + d"),
            "local b, c = 2, 3\nlocal d = c\nreturn b + d"
        );
    }
}
