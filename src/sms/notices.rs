//! What an SMS without a code says: that something of an account was changed, to whoever has no proven e-mail address.

use super::{
    segments::segments,
    texts::{MAX_SEGMENTS, TextOptions},
};
use crate::{
    channel::MessageText,
    language::Language,
    texts::{Brand, Carried, Catalog, Names, Template, TextFault, TextFolder, carried, names},
};

/// The texts that the program carries.
const CARRIED: [Carried; 5] = [
    carried!("notice_password_changed_sms"),
    carried!("notice_password_reset_sms"),
    carried!("notice_email_changed_sms"),
    carried!("notice_phone_changed_sms"),
    carried!("notice_email_taken_sms"),
];
const NAMES: Names = Names {
    known: &["brand"],
    needed: None,
};

/// Every text of a notice, ready to be filled in.
#[derive(Debug, Clone, Default)]
pub struct NoticeTexts {
    brand: Brand,
    catalog: Catalog<Template>,
}

impl NoticeTexts {
    /// The names of the texts that there are.
    pub const NAMES: &[&str] = &names(&CARRIED);

    /// The texts that the program carries, those of the folder in their place where it has some.
    ///
    /// # Errors
    /// Every fault of every text.
    pub fn load(options: &TextOptions, folder: &TextFolder) -> Result<Self, Vec<TextFault>> {
        let catalog = Catalog::load(&CARRIED, folder, &options.language, |path, _, text| {
            let template = Template::parse(text, NAMES).map_err(|flaws| -> Vec<_> {
                let fault = |flaw| TextFault::flaw(path, flaw, 0);
                flaws.into_iter().map(fault).collect()
            })?;
            match segments(&template.fill(|_| options.brand.as_str())) {
                count if count > MAX_SEGMENTS => Err(vec![TextFault::file(
                    path,
                    format!("takes {count} segments, with brand: {MAX_SEGMENTS} at most"),
                )]),
                _ => Ok(template),
            }
        })?;
        Ok(Self {
            brand: options.brand.clone(),
            catalog,
        })
    }

    /// The SMS of this name. `None` for a name that there is not.
    pub fn compose(&self, name: &str, language: &Language) -> Option<MessageText> {
        let template = self.catalog.get(name, language)?;
        Some(MessageText::new(template.fill(|_| self.brand.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_is_one_segment() {
        let texts = NoticeTexts::load(&TextOptions::default(), &TextFolder::default()).unwrap();
        for (name, languages) in CARRIED {
            for (language, _) in languages {
                let language = Language::parse(language).unwrap();
                let text = texts.compose(name, &language).unwrap();
                let text = text.expose();
                assert!(text.contains("Ringback"), "{text}");
                assert_eq!(segments(text), 1, "{} characters: {text}", text.chars().count());
            }
        }
        assert_eq!(texts.compose("notice_unknown", &Language::default()), None);
    }
}
