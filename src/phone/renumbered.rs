//! Numbers as they were dialled before their country changed its plan, or as people mix two ways to dial.
//!
//! Only what is nobody's number any more is read so: it comes after a number was found to be neither written nor dialled as
//! its country has it today.

/// What Mexico had dialled before a mobile's ten digits until 2019: 1 from abroad, 044 and 045 within, and before other
/// numbers 01 and 02.
const MEXICAN: [&str; 5] = ["1", "044", "045", "01", "02"];
/// Digits of a Mexican number.
const MEXICAN_DIGITS: usize = 10;

/// What a number in E.164 may be called today.
pub(super) fn present_forms(e164: &str) -> impl Iterator<Item = String> {
    let mexican = e164.strip_prefix("+52").into_iter().flat_map(|national| {
        let prefixes = MEXICAN.iter();
        let rests = prefixes.filter_map(move |prefix| national.strip_prefix(prefix));
        rests
            .filter(|rest| rest.len() == MEXICAN_DIGITS)
            .map(|rest| format!("+52{rest}"))
    });
    // Argentina's mobiles have a 9 from abroad and a 15 within, after the area code: some people write both. Without the 9
    // it is what is dialled within, which libphonenumber reads.
    let argentine = e164.strip_prefix("+549").map(|rest| format!("+54{rest}"));
    mexican.chain(argentine)
}
