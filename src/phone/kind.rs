//! What a number is for.

use std::fmt;

use rlibphonenumber::PhoneNumberType;

/// The country codes of satellite networks and of other networks that belong to no country (ITU-T E.164: +870, +881 to
/// +883). libphonenumber takes most of their numbers for mobile ones.
const NETWORKS_OF_NO_COUNTRY: [i32; 4] = [870, 881, 882, 883];
/// ITU-T E.168: personal numbers that follow a person from country to country.
const UNIVERSAL_PERSONAL: i32 = 878;

/// What a number is for, by libphonenumber's data. Its numbers are bits of a [`PhoneKinds`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PhoneKind {
    Mobile,
    FixedLine,
    /// Where a country's numbers don't tell, such as those of the United States.
    FixedLineOrMobile,
    Voip,
    TollFree,
    PremiumRate,
    SharedCost,
    Personal,
    Pager,
    /// A company's one number for all its places (universal access number).
    Uan,
    Voicemail,
    Satellite,
}

impl PhoneKind {
    /// Every kind with its name in `phone.kinds_allow`.
    pub const ALL: [(&'static str, Self); 12] = [
        ("mobile", Self::Mobile),
        ("fixed_line", Self::FixedLine),
        ("fixed_line_or_mobile", Self::FixedLineOrMobile),
        ("voip", Self::Voip),
        ("toll_free", Self::TollFree),
        ("premium_rate", Self::PremiumRate),
        ("shared_cost", Self::SharedCost),
        ("personal", Self::Personal),
        ("pager", Self::Pager),
        ("uan", Self::Uan),
        ("voicemail", Self::Voicemail),
        ("satellite", Self::Satellite),
    ];

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name)?;
        Some(found.1)
    }

    /// The kind that libphonenumber's type and a country code mean; none where it knows no such number.
    pub(super) fn of(kind: PhoneNumberType, country_code: i32) -> Option<Self> {
        use PhoneNumberType as T;
        Some(match kind {
            T::Unknown => return None,
            _ if NETWORKS_OF_NO_COUNTRY.contains(&country_code) => Self::Satellite,
            _ if country_code == UNIVERSAL_PERSONAL => Self::Personal,
            T::Mobile => Self::Mobile,
            T::FixedLine => Self::FixedLine,
            T::FixedLineOrMobile => Self::FixedLineOrMobile,
            T::VoIP => Self::Voip,
            T::TollFree => Self::TollFree,
            T::PremiumRate => Self::PremiumRate,
            T::SharedCost => Self::SharedCost,
            T::PersonalNumber => Self::Personal,
            T::Pager => Self::Pager,
            T::UAN => Self::Uan,
            T::VoiceMail => Self::Voicemail,
        })
    }
}

/// A set of kinds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PhoneKinds(u16);

impl PhoneKinds {
    /// Every kind, and numbers whose kind nobody knows.
    pub const ALL: Self = Self(u16::MAX);

    /// Whether numbers of this kind are in it.
    pub fn fit(self, kind: PhoneKind) -> bool {
        self.0 & bit(kind) != 0
    }
}

impl FromIterator<PhoneKind> for PhoneKinds {
    fn from_iter<T: IntoIterator<Item = PhoneKind>>(kinds: T) -> Self {
        Self(kinds.into_iter().fold(0, |set, kind| set | bit(kind)))
    }
}

impl fmt::Debug for PhoneKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = PhoneKind::ALL.iter().filter(|(_, kind)| self.fit(*kind));
        f.debug_set().entries(kinds.map(|(name, _)| name)).finish()
    }
}

fn bit(kind: PhoneKind) -> u16 {
    1 << (kind as u8)
}
