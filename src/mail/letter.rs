//! A letter: a subject and paragraphs, read from a file, and worded as plain text and as a page.
//!
//! A file has the subject in its first line (`Subject: …`), an empty line, and paragraphs, with an empty line between two. The
//! page is made of the same paragraphs by one layout for all texts and languages. A paragraph that is the code alone
//! stands there large.

use std::path::Path;

use crate::{
    channel::MessageText,
    language::Language,
    texts::{Brand, Flaw, Names, Template, TextFault, TextFolder},
};

/// The layout of the page, and its file's name.
const LAYOUT: &str = include_str!("../../config/messages/email.html");
pub(super) const LAYOUT_FILE: &str = "email.html";
const LAYOUT_NAMES: Names = Names {
    known: &["language", "direction", "subject", "brand", "body"],
    needed: Some(("body", "it says nothing")),
};
/// A code in the subject would show on locked screens, and stand in the logs of mail servers.
const SUBJECT_NAMES: Names = Names {
    known: &["brand"],
    needed: None,
};
const SUBJECT: &str = "Subject:";
/// A longer subject is cut off by most readers.
const MAX_SUBJECT_CHARS: usize = 120;
/// The languages that run from the right, by the first part of their tag.
const FROM_THE_RIGHT: [&str; 10] = ["ar", "arc", "ckb", "dv", "fa", "he", "ks", "ps", "ur", "yi"];

/// One e-mail, worded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worded {
    pub subject: String,
    pub text: MessageText,
    pub html: MessageText,
}

/// A text, read once.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    /// In which it is written, which may be another than was asked for.
    pub language: Language,
    pub subject: Template,
    pub body: Template,
}

/// What all letters are laid out by.
#[derive(Debug, Clone, Default)]
pub(super) struct Page {
    pub brand: Brand,
    layout: Template,
}

impl Page {
    /// The layout that the program carries, or the folder's in its place.
    pub fn load(brand: &Brand, folder: &TextFolder) -> Result<Self, Vec<TextFault>> {
        let (path, layout) = folder
            .page(LAYOUT_FILE)
            .unwrap_or((Path::new(LAYOUT_FILE), LAYOUT));
        let layout = Template::parse(layout, LAYOUT_NAMES).map_err(|flaws| faults(path, flaws, 0))?;
        Ok(Self {
            brand: brand.clone(),
            layout,
        })
    }

    /// A letter in both forms. A paragraph that is `code` alone stands large.
    pub fn word(&self, subject: String, text: String, code: Option<&str>, language: &Language) -> Worded {
        let html = self.page(&subject, &text, code, language);
        Worded {
            subject,
            text: MessageText::new(text),
            html: MessageText::new(html),
        }
    }

    fn page(&self, subject: &str, text: &str, code: Option<&str>, language: &Language) -> String {
        let paragraphs = text
            .split("\n\n")
            .map(str::trim)
            .filter(|words| !words.is_empty());
        let paragraphs = paragraphs.map(|words| match Some(words) == code {
            // The digits run from the left in every language, and nothing stands between them that copying would take along.
            true => format!(
                "<p dir=\"ltr\" style=\"margin:0 0 16px;font-family:ui-monospace,Menlo,Consolas,monospace;\
                 font-size:32px;font-weight:700;letter-spacing:4px\">{}</p>",
                escape(words)
            ),
            false => format!(
                "<p style=\"margin:0 0 16px\">{}</p>",
                escape(words).replace('\n', "<br>\n")
            ),
        });
        let body = paragraphs.collect::<Vec<_>>().join("\n");
        let (subject, brand) = (escape(subject), escape(self.brand.as_str()));
        self.layout.fill(|name| match name {
            "language" => language.as_str(),
            "direction" => direction(language),
            "subject" => &subject,
            "brand" => &brand,
            _ => &body,
        })
    }
}

impl Letter {
    /// Reads a file, whose body may use these names.
    pub fn read(
        path: &Path,
        language: &Language,
        text: &str,
        brand: &Brand,
        names: Names,
    ) -> Result<Self, Vec<TextFault>> {
        let text = text
            .strip_prefix('\u{FEFF}')
            .unwrap_or(text)
            .replace("\r\n", "\n");
        let (first, body) = text.split_once('\n').unwrap_or((&text, ""));
        let subject = match first.strip_prefix(SUBJECT) {
            Some(subject) => Template::parse(subject.trim(), SUBJECT_NAMES),
            None => Err(vec![Flaw {
                line: 1,
                column: 1,
                why: format!("the first line must be the subject, as in \"{SUBJECT} {{brand}}: your code\""),
            }]),
        };
        let body_text = body.trim_start_matches('\n');
        let lines_before = 1 + body.len() - body_text.len();
        let body = Template::parse(body_text, names);
        match (subject, body) {
            (Ok(subject), Ok(body)) => {
                let longest = subject.fill(|_| brand.as_str()).chars().count();
                if !(1..=MAX_SUBJECT_CHARS).contains(&longest) {
                    let why = format!(
                        "its subject has {longest} characters: must have 1 to {MAX_SUBJECT_CHARS}, with the brand"
                    );
                    return Err(vec![TextFault::file(path, why)]);
                }
                Ok(Self {
                    language: language.clone(),
                    subject,
                    body,
                })
            }
            (subject, body) => {
                let of_subject = faults(path, subject.err().unwrap_or_default(), 0);
                let of_body = faults(path, body.err().unwrap_or_default(), lines_before);
                Err(of_subject.into_iter().chain(of_body).collect())
            }
        }
    }
}

fn faults(path: &Path, flaws: Vec<Flaw>, lines_before: usize) -> Vec<TextFault> {
    let fault = |flaw| TextFault::flaw(path, flaw, lines_before);
    flaws.into_iter().map(fault).collect()
}

fn direction(language: &Language) -> &'static str {
    let first = language.as_str().split('-').next().unwrap_or_default();
    match FROM_THE_RIGHT.contains(&first) {
        true => "rtl",
        false => "ltr",
    }
}

/// What a page shows as it is, in text and in attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            character => escaped.push(character),
        }
    }
    escaped
}
