//! What an e-mail says: a subject and a text in the reader's language, and the same text as a page.
//!
//! A file has the subject in its first line (`Subject: …`), an empty line, and paragraphs, with an empty line between two. The
//! page is made of the same paragraphs by one layout for all texts and languages. A paragraph that is the code alone
//! stands there large.

use std::{path::Path, time::Duration};

use crate::{
    channel::{MessageCode, MessageText},
    language::Language,
    texts::{Brand, Carried, Catalog, Flaw, Names, Template, TextFault, TextFolder, carried, minutes, names},
};

/// The texts that the program carries.
const CARRIED: [Carried; 5] = [
    carried!("verify_email"),
    carried!("sign_in_email"),
    carried!("reset_password_email"),
    carried!("change_email"),
    carried!("register"),
];
/// The layout of the page, and its file's name.
const LAYOUT: &str = include_str!("../../config/messages/email.html");
const LAYOUT_FILE: &str = "email.html";
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

/// What all e-mails have in common.
#[derive(Debug, Clone, Default)]
pub struct TextOptions {
    pub brand: Brand,
    /// For whoever prefers none of the languages that there are.
    pub language: Language,
}

/// One e-mail, worded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worded {
    pub subject: String,
    pub text: MessageText,
    pub html: MessageText,
}

/// A text, read once.
#[derive(Debug, Clone)]
struct Letter {
    /// In which it is written, which may be another than was asked for.
    language: Language,
    subject: Template,
    body: Template,
}

/// Every text, ready to be filled in.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    brand: Brand,
    layout: Template,
    catalog: Catalog<Letter>,
}

impl Texts {
    /// The names of the texts that there are, and the file names of pages.
    pub const NAMES: &[&str] = &names(&CARRIED);
    pub const PAGES: &[&str] = &[LAYOUT_FILE];

    /// The texts and the layout that the program carries, those of the folder in their place where it has some.
    ///
    /// # Errors
    /// Every fault of every text.
    pub fn load(options: &TextOptions, folder: &TextFolder) -> Result<Self, Vec<TextFault>> {
        let (path, layout) = folder
            .page(LAYOUT_FILE)
            .unwrap_or((Path::new(LAYOUT_FILE), LAYOUT));
        let layout = Template::parse(layout, LAYOUT_NAMES).map_err(|flaws| faults(path, flaws, 0));
        let catalog = Catalog::load(&CARRIED, folder, &options.language, |path, language, text| {
            Letter::read(path, language, text, &options.brand)
        });
        match (layout, catalog) {
            (Ok(layout), Ok(catalog)) => Ok(Self {
                brand: options.brand.clone(),
                layout,
                catalog,
            }),
            (layout, catalog) => Err([layout.err(), catalog.err()]
                .into_iter()
                .flatten()
                .flatten()
                .collect()),
        }
    }

    /// The e-mail of this name for a code that is good for `life`. One of no name that there is says the code alone.
    pub fn compose(&self, name: &str, language: &Language, code: &MessageCode, life: Duration) -> Worded {
        let (brand, code, minutes) = (self.brand.as_str(), code.expose(), minutes(life));
        let fill = |template: &Template| {
            template.fill(|name| match name {
                "brand" => brand,
                "code" => code,
                _ => &minutes,
            })
        };
        let letter = self.catalog.get(name, language);
        let subject = letter.map_or_else(|| brand.to_owned(), |letter| fill(&letter.subject));
        let text = letter.map_or_else(|| code.to_owned(), |letter| fill(&letter.body));
        let language = letter.map_or(language, |letter| &letter.language);
        let html = self.page(&subject, &text, code, language);
        Worded {
            subject,
            text: MessageText::new(text),
            html: MessageText::new(html),
        }
    }

    /// The language for somebody who would read these, the dearest first.
    pub fn best_for<'a>(&self, ranges: impl IntoIterator<Item = &'a str>) -> Language {
        self.catalog.best_for(ranges)
    }

    fn page(&self, subject: &str, text: &str, code: &str, language: &Language) -> String {
        let paragraphs = text
            .split("\n\n")
            .map(str::trim)
            .filter(|words| !words.is_empty());
        let paragraphs = paragraphs.map(|words| match words == code {
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
    fn read(path: &Path, language: &Language, text: &str, brand: &Brand) -> Result<Self, Vec<TextFault>> {
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
        let body = Template::parse(body_text, Names::OF_A_CODE);
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
    for sign in text.chars() {
        match sign {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            sign => escaped.push(sign),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brand(name: &str) -> TextOptions {
        TextOptions {
            brand: Brand::parse(name).unwrap(),
            ..TextOptions::default()
        }
    }

    fn worded(options: &TextOptions, language: &str) -> Worded {
        worded_as("verify_email", options, language)
    }

    fn worded_as(name: &str, options: &TextOptions, language: &str) -> Worded {
        let texts = Texts::load(options, &TextFolder::default()).unwrap();
        let language = Language::parse(language).unwrap();
        let life = Duration::from_secs(540);
        texts.compose(name, &language, &MessageCode::new("123456"), life)
    }

    #[test]
    fn every_language_says_brand_code_and_minutes_in_both_forms() {
        let all = CARRIED
            .iter()
            .flat_map(|(name, languages)| languages.iter().map(move |(language, _)| (name, language)));
        for (name, language) in all {
            let mail = worded_as(name, &brand("Acme"), language);
            assert!(
                mail.subject.contains("Acme") && !mail.subject.contains("123456"),
                "{language}"
            );
            for form in [mail.text.expose(), mail.html.expose()] {
                for part in ["Acme", "123456", "9"] {
                    assert!(form.contains(part), "{part} in {form}");
                }
            }
            assert!(
                mail.text.expose().contains("\n\n123456\n\n"),
                "{language}: the code stands alone"
            );
            assert_eq!(mail.html.expose().matches("123456</p>").count(), 1, "{language}");
            let opening = match *language {
                "ar" => "<html lang=\"ar\" dir=\"rtl\">".to_owned(),
                language => format!("<html lang=\"{language}\" dir=\"ltr\">"),
            };
            assert!(mail.html.expose().contains(&opening), "{language}");
        }
    }

    #[test]
    fn a_brand_is_no_markup() {
        let mail = worded(&brand("<b>\"A&B'</b>"), "en");
        assert!(mail.subject.contains("<b>\"A&B'</b>"));
        let html = mail.html.expose();
        assert!(
            html.contains("&lt;b&gt;&quot;A&amp;B&#39;&lt;/b&gt;") && !html.contains("<b>"),
            "{html}"
        );
    }

    #[test]
    fn who_reads_none_of_the_languages_gets_the_one_for_all_others_and_the_page_says_which() {
        let german = TextOptions {
            language: Language::parse("de-at").unwrap(),
            ..TextOptions::default()
        };
        let mail = worded(&german, "tlh");
        assert!(mail.subject.contains("Bestätigen"), "{}", mail.subject);
        assert!(mail.html.expose().contains("lang=\"de\""));
        assert!(!format!("{mail:?}").contains("123456"));
    }

    #[test]
    fn a_letter_has_a_subject_without_the_code_and_a_body_with_it() {
        let places = |text: &str| -> Vec<_> {
            let language = Language::default();
            let faults = Letter::read(Path::new("x"), &language, text, &Brand::default()).unwrap_err();
            let place = |fault| match fault {
                TextFault::File { line, column, .. } => (line, column),
                TextFault::NoSuchLanguage { .. } => unreachable!("one letter"),
            };
            faults.into_iter().map(place).collect()
        };
        let at = |line, column| (Some(line), Some(column));
        assert_eq!(places("{code}"), [at(1, 1), at(2, 1)]);
        assert_eq!(places("Subject: {code}\n\n{code}"), [at(1, 1)]);
        assert_eq!(places("Subject: a\n\n\nb {cod}\n"), [at(4, 3)]);
        assert_eq!(places("Subject: a\nb"), [at(2, 1)]);
        assert_eq!(places("Subject:\n{code}"), [(None, None)]);
        assert_eq!(
            places(&format!("Subject: {}\n{{code}}", "a".repeat(121))),
            [(None, None)]
        );
    }
}
