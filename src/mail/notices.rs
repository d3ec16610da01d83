//! What an e-mail without a code says: that something of an account was changed.

use std::borrow::Cow;

use super::letter::{Letter, Page, Worded};
use super::texts::TextOptions;
use crate::{
    language::Language,
    texts::{Carried, Catalog, Names, TextFault, TextFolder, carried, names},
};

/// The texts that the program carries.
const CARRIED: [Carried; 6] = [
    carried!("notice_password_changed"),
    carried!("notice_password_reset"),
    carried!("notice_email_changed"),
    carried!("notice_phone_changed"),
    carried!("notice_phone_moved"),
    carried!("notice_email_taken"),
];
const NAMES: Names = Names {
    known: &["brand", "contact"],
    needed: None,
};
/// What stands for the way to object. A paragraph with it is left out where there is none.
const CONTACT: &str = "{contact}";

/// A notice with and without the way to object.
#[derive(Debug, Clone)]
struct Forms {
    whole: Letter,
    without_contact: Letter,
}

/// Every text of a notice, ready to be filled in.
#[derive(Debug, Clone, Default)]
pub struct NoticeTexts {
    page: Page,
    catalog: Catalog<Forms>,
}

impl NoticeTexts {
    /// The names of the texts that there are.
    pub const NAMES: &[&str] = &names(&CARRIED);

    /// The texts and the layout that the program carries, those of the folder in their place where it has some.
    ///
    /// # Errors
    /// Every fault of every text. Those of the layout are told with the texts of codes.
    pub fn load(options: &TextOptions, folder: &TextFolder) -> Result<Self, Vec<TextFault>> {
        let catalog = Catalog::load(&CARRIED, folder, &options.language, |path, language, text| {
            let read = |text: &str| Letter::read(path, language, text, &options.brand, NAMES);
            Ok(Forms {
                whole: read(text)?,
                without_contact: read(&without_contact(text))?,
            })
        })?;
        Ok(Self {
            page: Page::load(&options.brand, folder).unwrap_or_default(),
            catalog,
        })
    }

    /// The e-mail of this name, with the way to object where there is one. `None` for a name that there is not.
    pub fn compose(&self, name: &str, language: &Language, contact: Option<&str>) -> Option<Worded> {
        let forms = self.catalog.get(name, language)?;
        let letter = match contact {
            Some(_) => &forms.whole,
            None => &forms.without_contact,
        };
        let value = |name: &str| match name {
            "brand" => self.page.brand.as_str(),
            _ => contact.unwrap_or_default(),
        };
        let (subject, text) = (letter.subject.fill(value), letter.body.fill(value));
        Some(self.page.word(subject, text, None, &letter.language))
    }
}

fn without_contact(text: &str) -> String {
    let text: Cow<'_, str> = match text.contains('\r') {
        true => text.replace("\r\n", "\n").into(),
        false => text.into(),
    };
    let paragraphs = text.split("\n\n").filter(|words| !words.contains(CONTACT));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Brand;

    fn texts() -> NoticeTexts {
        let options = TextOptions {
            brand: Brand::parse("Acme").unwrap(),
            ..TextOptions::default()
        };
        NoticeTexts::load(&options, &TextFolder::default()).unwrap()
    }

    #[test]
    fn every_notice_says_brand_and_contact_in_both_forms_and_every_language() {
        let (texts, contact) = (texts(), "https://example.com/help?a&b");
        for (name, languages) in CARRIED {
            for (language, _) in languages {
                let mail = texts
                    .compose(name, &Language::parse(language).unwrap(), Some(contact))
                    .unwrap();
                let (text, html) = (mail.text.expose(), mail.html.expose());
                assert!(mail.subject.contains("Acme"), "{name} {language}");
                assert!(text.contains("Acme") && text.ends_with(contact), "{text}");
                assert!(html.contains("https://example.com/help?a&amp;b</p>"), "{html}");
                assert!(!text.contains('{'), "{text}");
            }
        }
    }

    #[test]
    fn without_a_contact_there_is_no_empty_promise() {
        let texts = texts();
        for (name, languages) in CARRIED {
            for (language, whole) in languages {
                let mail = texts
                    .compose(name, &Language::parse(language).unwrap(), None)
                    .unwrap();
                let paragraphs = |text: &str| text.trim().split("\n\n").count();
                // Beside the subject and the way to object.
                assert_eq!(
                    paragraphs(mail.text.expose()),
                    paragraphs(whole) - 2,
                    "{name} {language}"
                );
            }
        }
        assert_eq!(texts.compose("notice_unknown", &Language::default(), None), None);
    }
}
