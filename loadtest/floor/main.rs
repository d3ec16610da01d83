//! The least that this stack can do: Ringback's requests and answers with the same number of round trips to the
//! database and to Redis, and nothing else. No limits, no log, no metrics, no decoys, no error that is not a panic.
//!
//! It is what `loadtest/compare` measures Ringback beside, and what prepares the data for both:
//!
//! - `floor serve 127.0.0.1:9000` serves.
//! - `floor tokens COUNT USERS` prints an access token for each of COUNT users, spread over all of them.
//! - `floor challenges FIRST COUNT` issues a code to each of COUNT users from the FIRST on, for Ringback and for the
//!   floor, and prints `phone code` for each.
//! - `floor refresh COUNT` gives each session of the first COUNT users a new refresh token, and prints those.
//! - `floor password TEXT` prints its hash, as the users' table has it.
//! - `floor hashes SECONDS` hashes passwords on every core and prints hashes a second and CPU milliseconds of each.
//!
//! `RINGBACK_SECRET`, `DATABASE_URL` and `REDIS_URL` are Ringback's. The users are those that `loadtest/users.sql`
//! makes.

mod http;
mod passwords;
mod postgres;
mod prepare;
mod redis;
mod together;

use std::sync::Arc;

use ringback::secrets::Keyring;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", address] => http::serve(address),
        ["tokens", count, users] => prepare::tokens(number(count), number(users)),
        ["owners", count, users] => prepare::owners(number(count), number(users)),
        ["challenges", first, count] => prepare::challenges(number(first), number(count)),
        ["refresh", count] => prepare::refresh(number(count)),
        ["password", text] => println!("{}", passwords::Passwords::new().hash(text)),
        ["hashes", seconds] => passwords::measure(number(seconds)),
        _ => panic!(
            "floor serve ADDRESS | tokens COUNT USERS | owners COUNT USERS | challenges FIRST COUNT | refresh COUNT | password TEXT | hashes SECONDS"
        ),
    }
}

fn number(text: &str) -> u64 {
    text.parse().expect("a whole number")
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

fn keyring() -> Arc<Keyring> {
    Arc::new(Keyring::parse(&variable("RINGBACK_SECRET")).expect("RINGBACK_SECRET"))
}
