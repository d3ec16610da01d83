//! Rust cut into words and characters. What is said in comments and in literals is left out.

pub struct Token {
    /// A word, a character, or `"` for any literal.
    pub text: String,
    pub line: usize,
}

/// The tokens of a file that compiles.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        text: text.as_bytes(),
        at: 0,
        line: 1,
        tokens: Vec::new(),
    };
    while lexer.at < lexer.text.len() {
        lexer.next();
    }
    lexer.tokens
}

struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
    tokens: Vec<Token>,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn step(&mut self) {
        if self.peek(0) == b'\n' {
            self.line += 1;
        }
        self.at += 1;
    }

    fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.step();
        }
    }

    fn push(&mut self, text: &str, line: usize) {
        let text = text.to_owned();
        self.tokens.push(Token { text, line });
    }

    fn next(&mut self) {
        let (line, byte) = (self.line, self.peek(0));
        match (byte, self.peek(1)) {
            (b' ' | b'\t' | b'\r' | b'\n', _) => self.step(),
            (b'/', b'/') => {
                while self.at < self.text.len() && self.peek(0) != b'\n' {
                    self.step();
                }
            }
            (b'/', b'*') => self.block_comment(),
            (b'"', _) => self.string(),
            (b'\'', _) => self.quote(),
            (first, _) if is_word(first) => {
                let from = self.at;
                while is_word(self.peek(0)) {
                    self.step();
                }
                let word = std::str::from_utf8(&self.text[from..self.at]).unwrap().to_owned();
                match (word.as_str(), self.peek(0), self.peek(1)) {
                    ("r" | "br" | "cr", b'"', _) | ("r" | "br" | "cr", b'#', b'"' | b'#') => {
                        self.raw_string();
                    }
                    ("r", b'#', _) => self.step(), // a raw word: its name comes next
                    ("b" | "c", b'"', _) => self.string(),
                    ("b", b'\'', _) => self.quote(),
                    _ if first.is_ascii_digit() => self.push("\"", line),
                    _ => self.push(&word, line),
                }
            }
            _ => {
                self.push(&char::from(byte).to_string(), line);
                self.step();
            }
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => depth += 1,
                (b'*', b'/') => depth -= 1,
                _ => {
                    self.step();
                    continue;
                }
            }
            self.steps(2);
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        let line = self.line;
        self.step();
        while self.peek(0) != b'"' {
            let length = if self.peek(0) == b'\\' { 2 } else { 1 };
            self.steps(length);
        }
        self.step();
        self.push("\"", line);
    }

    fn raw_string(&mut self) {
        let line = self.line;
        let mut hashes = 0;
        while self.peek(hashes) == b'#' {
            hashes += 1;
        }
        self.steps(hashes + 1);
        let ends =
            |lexer: &Self| lexer.peek(0) == b'"' && (1..=hashes).all(|ahead| lexer.peek(ahead) == b'#');
        while !ends(self) {
            self.step();
        }
        self.steps(hashes + 1);
        self.push("\"", line);
    }

    /// A character, or a lifetime: that has no second quote.
    fn quote(&mut self) {
        let line = self.line;
        let rest = std::str::from_utf8(&self.text[self.at + 1..]).unwrap();
        let first = rest.chars().next().unwrap();
        let is_char = first == '\\' || rest[first.len_utf8()..].starts_with('\'');
        self.step();
        if is_char {
            let skip = if first == '\\' { 2 } else { first.len_utf8() };
            self.steps(skip);
            while self.peek(0) != b'\'' {
                self.step();
            }
            self.step();
            self.push("\"", line);
        } else {
            while is_word(self.peek(0)) {
                self.step();
            }
        }
    }
}

#[test]
fn words_are_told_from_what_is_said() {
    let text = r####"
        // fn one
        /* two /* nested */ still */
        let x = "a \" b"; let y = r#"c " d"#; let z = b'\''; let c = '"'; let d = '\u{1F600}';
        fn f<'a>(x: &'a str) -> r#type { 1_000.max(0x1f); br"//"; '/' }
    "####;
    let found: Vec<String> = tokens(text).into_iter().map(|token| token.text).collect();
    let expected = "let x = \" ; let y = \" ; let z = \" ; let c = \" ; let d = \" ; \
                    fn f < > ( x : & str ) - > type { \" . max ( \" ) ; \" ; \" }";
    assert_eq!(found.join(" "), expected);
}
