//! A text with places such as `{code}`: `{brand} code: {code}.`

/// What stands in a text: words, or a place by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Words(String),
    Place(&'static str),
}

/// The place of the code.
const CODE: &str = "code";

/// Whoever reads, and whoever compares two texts, has to see where the code begins and ends.
const TOUCHED: &str =
    "{code} touches a digit or another name: put a space or a punctuation mark between them";

/// The names that a text may use.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    pub known: &'static [&'static str],
    /// The one that it must use, and why.
    pub needed: Option<(&'static str, &'static str)>,
}

impl Names {
    /// Of a text that tells a code.
    pub const OF_A_CODE: Self = Self {
        known: &["brand", CODE, "minutes"],
        needed: Some((CODE, "nobody learns the code")),
    };

    fn list(&self) -> String {
        let names: Vec<_> = self.known.iter().map(|name| format!("{{{name}}}")).collect();
        match names.split_last() {
            Some((last, [])) => format!("there is {last}"),
            Some((last, names)) => format!("there are {} and {last}", names.join(", ")),
            None => "there are none".to_owned(),
        }
    }
}

/// A text, read once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template(Vec<Part>);

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    pub why: String,
}

impl Template {
    /// Reads a text. Names stand in braces; a brace that is meant as one is doubled. What editors leave at the ends (a
    /// byte order mark, empty lines) is dropped.
    ///
    /// # Errors
    /// Every flaw, in the order of the text.
    pub fn parse(text: &str, names: Names) -> Result<Self, Vec<Flaw>> {
        let text = text
            .strip_prefix('\u{FEFF}')
            .unwrap_or(text)
            .replace("\r\n", "\n");
        let mut reading = Reading::new(text.trim_end(), names);
        while let Some(character) = reading.next() {
            match character {
                '{' if reading.takes('{') => reading.words.push('{'),
                '}' if reading.takes('}') => reading.words.push('}'),
                '{' => reading.name(),
                '}' => reading.flaw("a } that closes nothing: write }} for one that is meant".to_owned()),
                character if character.is_control() && character != '\n' => {
                    reading.flaw(format!("{character:?} has no place in a message"));
                }
                character => {
                    if character.is_ascii_digit() && reading.ends_in_code() {
                        reading.flaw(TOUCHED.to_owned());
                    }
                    reading.words.push(character);
                }
            }
        }
        reading.finish()
    }

    /// The text, with what `value` gives in the place of each name.
    pub fn fill<'a>(&self, value: impl Fn(&str) -> &'a str) -> String {
        let mut text = String::with_capacity(160);
        for part in &self.0 {
            text.push_str(match part {
                Part::Words(words) => words,
                Part::Place(name) => value(name),
            });
        }
        text
    }
}

/// A text that is being read.
struct Reading<'a> {
    names: Names,
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    /// Of the character that was read last.
    line: usize,
    column: usize,
    ends_line: bool,
    words: String,
    parts: Vec<Part>,
    flaws: Vec<Flaw>,
}

impl<'a> Reading<'a> {
    fn new(text: &'a str, names: Names) -> Self {
        Self {
            names,
            rest: text.chars().peekable(),
            line: 1,
            column: 0,
            ends_line: false,
            words: String::new(),
            parts: Vec::new(),
            flaws: Vec::new(),
        }
    }

    fn next(&mut self) -> Option<char> {
        let character = self.rest.next()?;
        if std::mem::replace(&mut self.ends_line, character == '\n') {
            (self.line, self.column) = (self.line + 1, 0);
        }
        self.column += 1;
        Some(character)
    }

    fn takes(&mut self, character: char) -> bool {
        let is_next = self.rest.peek() == Some(&character);
        if is_next {
            self.next();
        }
        is_next
    }

    /// Reads a name, whose brace was read.
    fn name(&mut self) {
        let place = (self.line, self.column);
        let mut name = String::new();
        while let Some(character) = self
            .rest
            .next_if(|&character| !matches!(character, '{' | '}' | '\n'))
        {
            self.column += 1;
            name.push(character);
        }
        if !self.takes('}') {
            let why = "a { that nothing closes: write {{ for one that is meant".to_owned();
            return self.flaw_at(place, why);
        }
        let Some(&known) = self.names.known.iter().find(|known| **known == name) else {
            return self.flaw_at(place, format!("no such name, {{{name}}}: {}", self.names.list()));
        };
        let follows_digits = self.words.ends_with(|character: char| character.is_ascii_digit())
            || (self.words.is_empty() && !self.parts.is_empty());
        if self.ends_in_code() || (known == CODE && follows_digits) {
            self.flaw_at(place, TOUCHED.to_owned());
        }
        self.end_words();
        self.parts.push(Part::Place(known));
    }

    /// Whether the code was the last that was read.
    fn ends_in_code(&self) -> bool {
        self.words.is_empty() && self.parts.last() == Some(&Part::Place(CODE))
    }

    fn end_words(&mut self) {
        if !self.words.is_empty() {
            self.parts.push(Part::Words(std::mem::take(&mut self.words)));
        }
    }

    fn flaw(&mut self, why: String) {
        self.flaw_at((self.line, self.column), why);
    }

    fn flaw_at(&mut self, (line, column): (usize, usize), why: String) {
        self.flaws.push(Flaw { line, column, why });
    }

    fn finish(mut self) -> Result<Template, Vec<Flaw>> {
        self.end_words();
        if let Some((needed, why)) = self.names.needed
            && self.flaws.is_empty()
            && !self.parts.contains(&Part::Place(needed))
        {
            self.flaw_at((1, 1), format!("without {{{needed}}} {why}"));
        }
        match self.flaws {
            flaws if flaws.is_empty() => Ok(Template(self.parts)),
            flaws => Err(flaws),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fill(text: &str, brand: &str) -> Result<String, Vec<Flaw>> {
        let template = Template::parse(text, Names::OF_A_CODE)?;
        Ok(template.fill(|name| match name {
            "brand" => brand,
            "code" => "123456",
            _ => "10",
        }))
    }

    fn filled(text: &str) -> String {
        fill(text, "Ringback").unwrap()
    }

    fn flaws(text: &str) -> Vec<(usize, usize, String)> {
        let flaws = Template::parse(text, Names::OF_A_CODE).unwrap_err();
        flaws
            .into_iter()
            .map(|flaw| (flaw.line, flaw.column, flaw.why))
            .collect()
    }

    #[test]
    fn names_are_filled_in_wherever_they_stand() {
        for (text, said) in [
            ("{code}", "123456"),
            ("{brand}: {code}, {minutes} min", "Ringback: 123456, 10 min"),
            ("{code} {code}\n{minutes}", "123456 123456\n10"),
            ("{{{code}}} {{brand}}", "{123456} {brand}"),
            ("\u{FEFF}a\r\n{code}\r\n\r\n", "a\n123456"),
            ("رمز {brand}: {code}", "رمز Ringback: 123456"),
        ] {
            assert_eq!(filled(text), said, "{text}");
        }
    }

    #[test]
    fn a_brand_with_braces_is_no_template() {
        assert_eq!(fill("{brand} {code}", "{code}").unwrap(), "{code} 123456");
    }

    #[test]
    fn every_flaw_is_told_with_its_line_and_column() {
        let places = |text| -> Vec<_> {
            let flaws = flaws(text).into_iter();
            flaws.map(|(line, column, _)| (line, column)).collect()
        };
        assert_eq!(places("{code}\n{cod}"), [(2, 1)]);
        assert_eq!(places("é {Code} {} {code }"), [(1, 3), (1, 10), (1, 13)]);
        assert_eq!(places("{code} }\n{brand"), [(1, 8), (2, 1)]);
        assert_eq!(places("{{}\n {bra\nnd} {code}"), [(1, 3), (2, 2), (3, 3)]);
        assert_eq!(places("a {b {code}"), [(1, 3)]);
        assert_eq!(places("{code}\u{7}"), [(1, 7)]);
        assert_eq!(places("a\tb{code}"), [(1, 2)]);
        for (touched, column) in [
            ("{code}{minutes}", 7),
            ("{brand}{code}", 8),
            ("{code}1", 7),
            ("1 0{code}", 4),
        ] {
            assert_eq!(places(touched), [(1, column)], "{touched}");
        }
        for empty in ["", "\n", "no code", "{{code}}"] {
            assert_eq!(places(empty), [(1, 1)], "{empty}");
        }
        let (.., why) = &flaws("{cod}")[0];
        assert_eq!(
            why,
            "no such name, {cod}: there are {brand}, {code} and {minutes}"
        );
    }

    proptest! {
        /// Whatever stands in a file, it is a text that tells the code, or it has flaws at places that it has.
        #[test]
        fn any_text_is_answered(text in "([{}]{1,2}|code|brand|\\PC|\n|\\{code\\}){0,30}") {
            match fill(&text, "Ringback") {
                Ok(filled) => prop_assert!(filled.contains("123456")),
                Err(flaws) => for Flaw { line, column, .. } in flaws {
                    let long = text.split('\n').nth(line - 1).unwrap().chars().count();
                    prop_assert!(column <= long.max(1));
                }
            }
        }
    }
}
