//! What an SMS says: in the reader's language, and short enough for one segment, so that one code is paid for once.

use std::time::Duration;

use super::segments::segments;
use crate::{
    channel::{MessageCode, MessageText},
    language::Language,
    texts::{Brand, Carried, Catalog, Names, Template, TextFault, TextFolder, carried, minutes, names},
};

/// The texts that the program carries.
const CARRIED: [Carried; 5] = [
    carried!("verify_phone"),
    carried!("sign_in_sms"),
    carried!("reset_password_sms"),
    carried!("change_phone"),
    carried!("administer_sms"),
];
/// More than this is paid for too often to be meant.
pub(super) const MAX_SEGMENTS: usize = 3;

/// What all texts have in common.
#[derive(Debug, Clone)]
pub struct TextOptions {
    pub brand: Brand,
    /// For whoever prefers none of the languages that there are.
    pub language: Language,
    /// The site that browsers may fill the code in at.
    pub webotp_domain: Option<String>,
    /// The Android app that may read the SMS.
    pub android_hash: Option<String>,
    /// Digits of a code.
    pub code_length: u8,
    /// How long a code lives: the longest that is said of one.
    pub ttl: Duration,
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

impl Default for TextOptions {
    /// As `config/default.toml` has it.
    fn default() -> Self {
        Self {
            brand: Brand::default(),
            language: Language::default(),
            webotp_domain: None,
            android_hash: None,
            code_length: 6,
            ttl: Duration::from_secs(600),
        }
    }
}

/// Every text, ready to be filled in.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    filling: Filling,
    catalog: Catalog<Template>,
    /// Languages with a text that takes more than one segment, and how many.
    long: Vec<(Language, usize)>,
}

/// What is the same in each.
#[derive(Debug, Clone, Default)]
struct Filling {
    brand: Brand,
    webotp_domain: Option<String>,
    android_hash: Option<String>,
}

impl Texts {
    /// The names of the texts that there are.
    pub const NAMES: &[&str] = &names(&CARRIED);

    /// The texts that the program carries, those of the folder in their place where it has some.
    ///
    /// # Errors
    /// Every fault of every text.
    pub fn load(options: &TextOptions, folder: &TextFolder) -> Result<Self, Vec<TextFault>> {
        let filling = Filling {
            brand: options.brand.clone(),
            webotp_domain: options.webotp_domain.clone(),
            android_hash: options.android_hash.clone(),
        };
        let longest = MessageCode::new("0".repeat(usize::from(options.code_length)));
        let mut long = Vec::new();
        let catalog = Catalog::load(&CARRIED, folder, &options.language, |path, language, text| {
            let template = Template::parse(text, Names::OF_A_CODE);
            let template = template.map_err(|flaws| -> Vec<_> {
                let fault = |flaw| TextFault::flaw(path, flaw, 0);
                flaws.into_iter().map(fault).collect()
            })?;
            match segments(&filling.fill(&template, &longest, options.ttl)) {
                count if count > MAX_SEGMENTS => Err(vec![TextFault::file(
                    path,
                    format!(
                        "takes {count} segments, with brand, code and what follows: {MAX_SEGMENTS} at most"
                    ),
                )]),
                count => {
                    long.extend((count > 1).then(|| (language.clone(), count)));
                    Ok(template)
                }
            }
        })?;
        Ok(Self {
            filling,
            catalog,
            long,
        })
    }

    /// The message of this name for a code that is good for `life`. One of no name that there is says the code alone.
    pub fn compose(
        &self,
        name: &str,
        language: &Language,
        code: &MessageCode,
        life: Duration,
    ) -> MessageText {
        let template = self.catalog.get(name, language);
        MessageText::new(match template {
            Some(template) => self.filling.fill(template, code, life),
            None => code.expose().to_owned(),
        })
    }

    /// The language for somebody who would read these, the dearest first.
    pub fn best_for<'a>(&self, ranges: impl IntoIterator<Item = &'a str>) -> Language {
        self.catalog.best_for(ranges)
    }

    /// Languages with a text that takes more than one segment, and how many: each code in them costs as many SMS.
    pub fn long(&self) -> &[(Language, usize)] {
        &self.long
    }
}

impl Filling {
    fn fill(&self, template: &Template, code: &MessageCode, life: Duration) -> String {
        let minutes = minutes(life);
        let mut text = template.fill(|name| match name {
            "brand" => self.brand.as_str(),
            "code" => code.expose(),
            _ => &minutes,
        });
        if let Some(domain) = &self.webotp_domain {
            // What browsers read is the last line: the site, one space, the code; what follows in it they pass over.
            text.push_str(&format!("\n@{domain} #{}", code.expose()));
        }
        if let Some(hash) = &self.android_hash {
            // What Android reads is the end. On a line of its own it would hide the site from browsers.
            text.push(if self.webotp_domain.is_some() { ' ' } else { '\n' });
            text.push_str(hash);
        }
        text
    }
}

#[cfg(test)]
mod tests;
