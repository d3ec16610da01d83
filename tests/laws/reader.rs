//! What the tokens of a file say, as far as the laws ask: paths, functions, modules, and which lines are for tests alone.

use crate::code::{File, Function, Use};

/// Reads the tokens of a file.
pub struct Reader<'a> {
    pub file: &'a mut File,
}

const OPENING: [&str; 3] = ["(", "[", "{"];
const CLOSING: [&str; 3] = [")", "]", "}"];
const VISIBLE: &str = "pub";

impl Reader<'_> {
    fn text(&self, at: usize) -> &str {
        self.file.tokens.get(at).map_or("", |token| &token.text)
    }

    fn line(&self, at: usize) -> usize {
        self.file.tokens[at.min(self.file.tokens.len() - 1)].line
    }

    fn is(&self, at: usize, texts: &str) -> bool {
        let mut texts = texts.split(' ').enumerate();
        texts.all(|(ahead, text)| self.text(at + ahead) == text)
    }

    fn is_word(&self, at: usize) -> bool {
        let is_word = |character: char| character.is_alphanumeric() || character == '_';
        self.text(at).starts_with(is_word)
    }

    /// The end of the group that opens here.
    fn closing(&self, opening: usize) -> usize {
        let mut depth = 0;
        for at in opening..self.file.tokens.len() {
            if OPENING.contains(&self.text(at)) {
                depth += 1;
            } else if CLOSING.contains(&self.text(at)) {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
        }
        panic!("{}: a group does not end", self.file.path)
    }

    /// The end of the item that begins here: its block, or its semicolon.
    fn end_of_item(&self, from: usize) -> usize {
        let mut at = from;
        loop {
            match self.text(at) {
                ";" => return at,
                "{" => {
                    let end = self.closing(at);
                    // `use a::{b};`, `const C: [u8; 1] = { .. };`
                    return if self.is(end + 1, ";") { end + 1 } else { end };
                }
                "(" | "[" => at = self.closing(at),
                "" => return at,
                _ => {}
            }
            at += 1;
        }
    }

    pub fn read(&mut self) {
        let (mut at, mut depth) = (0, 0_usize);
        while at < self.file.tokens.len() {
            if self.is(at, "# [") {
                self.attribute(at);
            }
            if self.is(at, "# !") {
                at += 2;
            }
            match self.text(at) {
                "use" if self.is_word(at + 1) || self.is(at + 1, ": :") || self.is(at + 1, "{") => {
                    let is_offer = at > 0 && matches!(self.text(at - 1), VISIBLE | ")");
                    at = self.use_tree(at + 1, &mut Vec::new(), is_offer);
                    continue;
                }
                "fn" if self.is_word(at + 1) => self.function(at),
                "mod" if self.is_word(at + 1) && self.is(at + 2, "{") => {
                    let lines = self.line(at)..=self.line(self.closing(at + 2));
                    let name = self.text(at + 1).to_owned();
                    self.file.inline.push((lines, name));
                }
                _ => {}
            }
            if depth == 0 {
                self.item(at);
            }
            depth = match self.text(at) {
                "{" => depth + 1,
                "}" => depth - 1,
                _ => depth,
            };
            at = self.path(at).max(at + 1);
        }
    }

    /// An item of the file, by its name.
    fn item(&mut self, at: usize) {
        let name = match self.text(at) {
            "const" | "enum" | "fn" | "static" | "struct" | "trait" | "type" if self.is_word(at + 1) => {
                self.text(at + 1).to_owned()
            }
            "mod" if self.is_word(at + 1) => format!("mod {}", self.text(at + 1)),
            "macro_rules" => self.text(at + 2).to_owned(),
            _ => return,
        };
        self.file.items.insert(name);
    }

    /// Notes what an attribute makes a test.
    fn attribute(&mut self, at: usize) {
        let end = self.closing(at + 1);
        let for_tests = self.is(at + 2, "cfg ( test") || self.is(at + 2, "cfg ( all ( test");
        let is_test = self.text(end - 1) == "test" || self.is(at + 2, "test ]");
        let is_test = is_test || (self.text(end - 1) == ")" && self.is(at + 5, "test ("));
        if !for_tests && !is_test {
            return;
        }
        // Behind all further attributes.
        let (mut item, mut elsewhere) = (end + 1, false);
        while self.is(item, "# [") {
            elsewhere |= self.is(item + 2, "path");
            item = self.closing(item + 1) + 1;
        }
        let lines = self.line(at)..=self.line(self.end_of_item(item));
        self.file.tests.push(lines);
        if self.is(item, VISIBLE) {
            item += 1;
        }
        if self.is(item, "mod") && self.is(item + 2, ";") {
            let name = self.text(item + 1).to_owned();
            self.test_file(&name, elsewhere);
        }
    }

    /// A module of tests in a file of its own: among this one's children, or with `#[path]` beside this one.
    fn test_file(&mut self, name: &str, elsewhere: bool) {
        let mut module = self.file.module.clone();
        let beside = module.pop().filter(|_| elsewhere);
        match beside {
            Some(own) => module.push(format!("{own}_{name}")),
            None => {
                module.clone_from(&self.file.module);
                module.push(name.to_owned());
            }
        }
        self.file.test_modules.push(module);
    }

    fn function(&mut self, at: usize) {
        let end = self.end_of_item(at);
        let (line, last) = (self.line(at), self.line(end));
        self.file.functions.push(Function {
            name: self.text(at + 1).to_owned(),
            line,
            lines: last - line + 1,
        });
    }

    /// Notes what a `use` brings in; answers where it ends.
    fn use_tree(&mut self, from: usize, path: &mut Vec<String>, is_offer: bool) -> usize {
        let (mut at, depth) = (from, path.len());
        if path.is_empty() && self.is(at, ": :") {
            path.push(String::new());
            at += 2;
        }
        while self.is(at + 1, ": :") {
            path.push(self.text(at).to_owned());
            at += 3;
        }
        if self.is(at, "{") {
            let end = self.closing(at);
            at += 1;
            while at < end {
                at = self.use_tree(at, path, is_offer);
                at += usize::from(self.is(at, ","));
            }
            at = end + 1;
        } else {
            let (name, line) = (self.text(at).to_owned(), self.line(at));
            let mut alias = match name.as_str() {
                "self" => path.last().unwrap().clone(),
                name => name.to_owned(),
            };
            at += 1;
            if self.is(at, "as") {
                alias = self.text(at + 1).to_owned();
                at += 2;
            }
            let mut path = path.clone();
            if name != "self" && name != "*" {
                path.push(name);
            }
            self.file.uses.push(Use {
                path,
                line,
                alias: Some(alias),
                is_offer,
            });
        }
        path.truncate(depth);
        at
    }

    /// Notes the path that begins here, also one among a macro's tokens or in an attribute; answers its last name.
    fn path(&mut self, from: usize) -> usize {
        let mut at = from;
        let after = |characters: &str, by: usize| from >= by && self.is(from - by, characters);
        if !self.is_word(at) || !self.is(at + 1, ": :") || !self.is_word(at + 3) || after(".", 1) {
            return at;
        }
        let mut path = Vec::new();
        if after(": :", 2) && (from < 3 || (!self.is_word(from - 3) && !self.is(from - 3, ">"))) {
            path.push(String::new());
        }
        path.push(self.text(at).to_owned());
        while self.is(at + 1, ": :") && self.is_word(at + 3) {
            path.push(self.text(at + 3).to_owned());
            at += 3;
        }
        let line = self.line(from);
        self.file.uses.push(Use {
            path,
            line,
            alias: None,
            is_offer: false,
        });
        at
    }
}
