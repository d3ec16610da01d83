//! The section `messages`, and what of the section `sms` says what an SMS reads like.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    fault::{Fault, Source},
    reader::{Reader, Refused},
};
use crate::{
    challenges::OtpRules,
    language::Language,
    mail, sms,
    texts::{Brand, TextFault, TextFolder},
};

/// What messages say, every text seen to be sound.
#[derive(Debug, Clone)]
pub struct TextSettings {
    pub brand: Brand,
    pub sms: Arc<sms::Texts>,
    pub mail: Arc<mail::Texts>,
    pub sms_notices: Arc<sms::NoticeTexts>,
    pub mail_notices: Arc<mail::NoticeTexts>,
    /// For whoever prefers none of the languages that there are, or whose language nobody knows.
    pub language: Language,
}

pub(super) fn read(reader: &mut Reader, config_dir: &Path, otp: &OtpRules) -> TextSettings {
    let brand = reader.text(
        "messages.brand",
        "1 to 30 characters in one line, without a space at either end",
        |text| match Brand::parse(text) {
            Ok(brand) if text.trim() == text => Ok(brand),
            _ => Err(Refused::default()),
        },
    );
    let language = reader.text(
        "messages.language",
        "a language's tag such as \"en\" or \"pt-br\"",
        |tag| Language::parse(tag).ok_or_else(Refused::default),
    );
    let folder = folder(reader, config_dir).map_or_else(TextFolder::default, |path| {
        let names = [
            sms::Texts::NAMES,
            mail::Texts::NAMES,
            sms::NoticeTexts::NAMES,
            mail::NoticeTexts::NAMES,
        ]
        .concat();
        let (folder, faults) = TextFolder::read(&path, &names, mail::Texts::PAGES);
        faults.into_iter().for_each(|fault| tell(reader, fault));
        folder
    });
    let of_mail = mail::TextOptions {
        brand: brand.clone(),
        language: language.clone(),
    };
    let of_sms = sms::TextOptions {
        brand,
        language,
        webotp_domain: reader.optional(
            "sms.webotp_domain",
            "a site's name such as \"example.com\", in lower case, without https:// and without a port",
            domain,
        ),
        android_hash: reader.optional(
            "sms.android_hash",
            "the 11 characters of base64 that Android computes for an app",
            android_hash,
        ),
        code_length: otp.length,
        ttl: otp.ttl,
    };
    let sms = sms::Texts::load(&of_sms, &folder);
    // Who adds an SMS in another language need not word e-mails or notices in it: those are in English then.
    let mail = or_in_english(&of_mail.language, |language| {
        mail::Texts::load(&of_mail.with_language(language), &folder)
    });
    let mail_notices = or_in_english(&of_mail.language, |language| {
        mail::NoticeTexts::load(&of_mail.with_language(language), &folder)
    });
    let sms_notices = or_in_english(&of_sms.language, |language| {
        sms::NoticeTexts::load(&of_sms.with_language(language), &folder)
    });
    TextSettings {
        brand: of_sms.brand,
        sms: Arc::new(or_told(reader, sms)),
        mail: Arc::new(or_told(reader, mail)),
        sms_notices: Arc::new(or_told(reader, sms_notices)),
        mail_notices: Arc::new(or_told(reader, mail_notices)),
        language: of_mail.language,
    }
}

fn or_in_english<T>(
    language: &Language,
    load: impl Fn(&Language) -> Result<T, Vec<TextFault>>,
) -> Result<T, Vec<TextFault>> {
    match load(language) {
        Err(faults) if matches!(faults[..], [TextFault::NoSuchLanguage { .. }]) => load(&Language::default()),
        loaded => loaded,
    }
}

/// With faults nothing comes of the settings.
fn or_told<T: Default>(reader: &mut Reader, texts: Result<T, Vec<TextFault>>) -> T {
    texts.unwrap_or_else(|faults| {
        faults.into_iter().for_each(|fault| tell(reader, fault));
        T::default()
    })
}

/// A relative path is looked for beside the other files first, then from where the service was started.
fn folder(reader: &mut Reader, config_dir: &Path) -> Option<PathBuf> {
    const KEY: &str = "messages.folder";
    let named = reader.text(KEY, "the path of a folder", |text| match text {
        "" => Err(Refused::default()),
        path => Ok(PathBuf::from(path)),
    });
    // Joining an absolute path gives that path itself.
    let found = [config_dir.join(&named), named]
        .into_iter()
        .find(|path| path.is_dir());
    match &found {
        Some(path) => reader.note(KEY, format!("in force: {}", path.display())),
        None if reader.source(KEY) == Source::BuiltIn => {
            reader.note(KEY, "in force: the built-in texts, there is no such folder".to_owned());
        }
        None => reader.refuse(
            KEY,
            "no such folder: must be a path from the config folder, from the working directory, or an absolute one",
        ),
    }
    found
}

fn tell(reader: &mut Reader, fault: TextFault) {
    match fault {
        TextFault::File {
            path,
            line,
            column,
            why,
        } => {
            let mut fault = Fault::new(Source::File { path, line }, None, why);
            fault.column = column;
            reader.push(fault);
        }
        TextFault::NoSuchLanguage { languages } => {
            reader.refuse(
                "messages.language",
                format!("no text is in it: must be one of {languages}"),
            );
        }
    }
}

/// What browsers compare with a site's host: a name as DNS has it, with no final dot.
fn domain(text: &str) -> Result<String, Refused> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|character| {
                character.is_ascii_lowercase() || character.is_ascii_digit() || character == b'-'
            })
    };
    if text.len() <= 253 && text.split('.').all(is_label) {
        Ok(text.to_owned())
    } else {
        Err(Refused::default())
    }
}

fn android_hash(text: &str) -> Result<String, Refused> {
    let is_base64 = |character: u8| character.is_ascii_alphanumeric() || matches!(character, b'+' | b'/');
    if text.len() == 11 && text.bytes().all(is_base64) {
        Ok(text.to_owned())
    } else {
        Err(Refused::default())
    }
}
