//! Scripts put together of chunks that define functions and of what uses them.
//!
//! Redis runs a script from its first line at each call, and takes 0.1 µs to make one of its functions. So a script gets those that it
//! calls, and what only a rare part of it calls is made where that part begins: between a line `--cold` and one `--end`.

use ::redis::Script;

const COLD: &str = "--cold";
const END: &str = "--end";
/// How a function begins, at the begin of a line; it ends with a line that is `end`.
const FUNCTION: &str = "local function ";

/// A script of what it does and of the chunks before it, whose functions it may call.
pub fn script(chunks: &[&str], main: &str) -> Script {
    Script::new(&text_of(chunks, main))
}

/// The same as a text.
pub fn text_of(chunks: &[&str], main: &str) -> String {
    let mut library = Library::default();
    let mut lines = Vec::new();
    for chunk in chunks {
        library.add(chunk, &mut lines);
    }
    lines.retain(|line| !is_comment(line));
    library.expand(&main.lines().collect::<Vec<_>>(), &[], &mut lines);
    lines.join("\n")
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
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(name).any(|(at, _)| {
        let (before, behind) = (&line[..at], &line[at + name.len()..]);
        behind.starts_with('(') && !before.ends_with(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: &str = "-- A chunk.
local a = 1
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
    }
}
