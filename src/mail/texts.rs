//! What an e-mail with a code says: a subject and a text in the reader's language, and the same text as a page.

use std::time::Duration;

use super::letter::{LAYOUT_FILE, Letter, Page, Worded};
use crate::{
    channel::MessageCode,
    language::Language,
    texts::{Brand, Carried, Catalog, Names, Template, TextFault, TextFolder, carried, minutes, names},
};

/// The texts that the program carries.
const CARRIED: [Carried; 6] = [
    carried!("verify_email"),
    carried!("sign_in_email"),
    carried!("reset_password_email"),
    carried!("change_email"),
    carried!("register"),
    carried!("administer_email"),
];

/// What all e-mails have in common.
#[derive(Debug, Clone, Default)]
pub struct TextOptions {
    pub brand: Brand,
    /// For whoever prefers none of the languages that there are.
    pub language: Language,
}

impl TextOptions {
    /// The same in another language.
    pub fn with_language(&self, language: &Language) -> Self {
        let language = language.clone();
        Self {
            language,
            ..self.clone()
        }
    }
}

/// Every text, ready to be filled in.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    page: Page,
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
        let page = Page::load(&options.brand, folder);
        let catalog = Catalog::load(&CARRIED, folder, &options.language, |path, language, text| {
            Letter::read(path, language, text, &options.brand, Names::OF_A_CODE)
        });
        match (page, catalog) {
            (Ok(page), Ok(catalog)) => Ok(Self { page, catalog }),
            (page, catalog) => Err([page.err(), catalog.err()]
                .into_iter()
                .flatten()
                .flatten()
                .collect()),
        }
    }

    /// The e-mail of this name for a code that is good for `life`. One of no name that there is says the code alone.
    pub fn compose(&self, name: &str, language: &Language, code: &MessageCode, life: Duration) -> Worded {
        let (brand, code, minutes) = (self.page.brand.as_str(), code.expose(), minutes(life));
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
        self.page.word(subject, text, Some(code), language)
    }

    /// The language for somebody who would read these, the dearest first.
    pub fn best_for<'a>(&self, ranges: impl IntoIterator<Item = &'a str>) -> Language {
        self.catalog.best_for(ranges)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

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
            let faults = Letter::read(
                Path::new("x"),
                &language,
                text,
                &Brand::default(),
                Names::OF_A_CODE,
            )
            .unwrap_err();
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
