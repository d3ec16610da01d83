//! The command line, and what the start prints.

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::ExitCode,
    thread::available_parallelism,
};

use clap::Parser;
use ringback::entropy::{Entropy, SystemEntropy};

use crate::{
    http::{self, Sim},
    profile::Profile,
};

/// sysexits.h `EX_CONFIG`: the profile was refused.
const EX_CONFIG: u8 = 78;

/// Twilio as far as Ringback knows it: takes SMS, shows them, reports on them, and fails as it is told to.
#[derive(Debug, Parser)]
#[command(
    name = "twilio-sim",
    version,
    about = "A Twilio for tests and staging: takes SMS, shows them, reports on them, and fails as it is told to",
    after_help = "docs/simulator.md explains profiles and what can be asked while it runs."
)]
pub struct Arguments {
    /// Address and port. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8090")]
    bind: SocketAddr,
    /// Which faults there shall be: a TOML or JSON file, or `chaos`, which has them all.
    #[arg(long)]
    profile: Option<String>,
    /// What chance depends on: the same calls of a number meet the same faults with the same seed. By default another
    /// one at each start.
    #[arg(long)]
    seed: Option<u64>,
    /// The one account that is known; by default any is.
    #[arg(long, requires = "token")]
    account: Option<String>,
    /// Its token, which also signs receipts; by default any is right, and signs what it asked for.
    #[arg(long, requires = "account")]
    token: Option<String>,
    /// How many SMS are kept, the newest.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    keep: u32,
    /// How many receipts may be due at a time; beyond that they are dropped, and counted.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    receipts: u32,
    /// Threads; by default one for each core.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
}

/// The account and its token, where only one is known.
pub struct Credentials {
    pub account: String,
    pub token: String,
}

/// Serves until a signal.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let profile = match arguments.profile.as_deref() {
        None => Profile::default(),
        Some("chaos") => Profile::chaos(),
        Some(file) => match Profile::read(Path::new(file)) {
            Ok(profile) => profile,
            Err(fault) => {
                eprintln!("{file}: {fault}");
                return ExitCode::from(EX_CONFIG);
            }
        },
    };
    match serve(arguments, profile) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: Arguments, profile: Profile) -> io::Result<()> {
    let bind = arguments.bind;
    let named = |error: io::Error| io::Error::new(error.kind(), format!("--bind {bind}: {error}"));
    let listener = TcpListener::bind(bind).map_err(named)?;
    let address = listener.local_addr()?;
    let named = arguments.profile.as_deref().unwrap_or("none").to_owned();
    let seed = arguments
        .seed
        .unwrap_or_else(|| (&SystemEntropy as &dyn Entropy).up_to(999_999));
    let workers = arguments.workers.map_or_else(
        || available_parallelism().map_or(1, |cores| cores.get()),
        usize::from,
    );
    let credentials = arguments
        .account
        .zip(arguments.token)
        .map(|(account, token)| Credentials { account, token });
    let announcement = announcement(address, &named, seed, credentials.as_ref());
    let sim = Sim::new(profile, seed, arguments.keep as usize, credentials);
    http::serve(listener, workers, arguments.receipts as usize, sim, || {
        let _ = io::stdout().write_all(announcement.as_bytes());
    })
}

/// Where everything is, and how Ringback finds it.
fn announcement(address: SocketAddr, profile: &str, seed: u64, credentials: Option<&Credentials>) -> String {
    let account = credentials.map_or("AC00000000000000000000000000000000", |known| &known.account);
    // What is printed may be kept.
    let token = if credentials.is_some() {
        "<the token>"
    } else {
        "any"
    };
    format!(
        "twilio-sim {version} (profile {profile}, seed {seed})
  Messages  http://{address}/
  JSON      http://{address}/messages.json?to=%2B14152000001&limit=10
  Counts    http://{address}/stats.json
  Faults    POST http://{address}/faults    Start anew  POST http://{address}/reset
Ringback sends here with:
  export TWILIO_BASE_URL=http://{address}
  export TWILIO_ACCOUNT_SID={account}
  export TWILIO_AUTH_TOKEN={token}
  export TWILIO_PHONE_NUMBER=+15005550006
",
        version = env!("CARGO_PKG_VERSION"),
    )
}
