//! What the simulator answers: Twilio's Messages resource, and what testers ask for.

mod answers;
mod line;
mod lookup;
mod messages;
mod testers;

use std::{
    io,
    net::TcpListener,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use actix_web::{App, HttpServer, middleware::NormalizePath, rt, web};
use ringback::clock::{Clock, SystemClock};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    book::Book,
    cli::Credentials,
    dice::{Dice, DiceCup},
    profile::{On, Profile},
    receipts::PostOffice,
};

/// Longer than clients keep a connection that they don't use, so that none is closed under a call.
const KEEP_ALIVE: Duration = Duration::from_secs(120);
const MAX_FORM: usize = 64 * 1024;
const MAX_PROFILE: usize = 256 * 1024;

/// The simulator: one for all workers.
pub struct Sim {
    pub book: Arc<Book>,
    pub clock: Arc<dyn Clock>,
    profile: RwLock<Arc<Profile>>,
    sends: DiceCup,
    lookups: DiceCup,
    credentials: Option<Credentials>,
}

impl Sim {
    /// `keep` is how many messages there are at most.
    pub fn new(profile: Profile, seed: u64, keep: usize, credentials: Option<Credentials>) -> Self {
        Self {
            book: Arc::new(Book::new(keep)),
            clock: Arc::new(SystemClock),
            profile: RwLock::new(Arc::new(profile)),
            sends: DiceCup::new(seed),
            lookups: DiceCup::new(!seed),
            credentials,
        }
    }

    fn profile(&self) -> Arc<Profile> {
        Arc::clone(&self.profile.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_profile(&self, profile: Profile) {
        *self.profile.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(profile);
    }

    fn roll(&self, on: On, to: &str) -> Dice {
        match on {
            On::Send => self.sends.roll(to),
            On::Lookup => self.lookups.roll(to),
        }
    }

    fn reset(&self) {
        self.book.reset();
        self.sends.reset();
        self.lookups.reset();
    }
}

/// Serves until SIGTERM or SIGINT, and says when it does.
///
/// # Errors
/// When the workers can't be started.
pub fn serve(
    listener: TcpListener,
    workers: usize,
    receipts: usize,
    sim: Sim,
    ready: impl FnOnce(),
) -> io::Result<()> {
    let office = PostOffice::open(Arc::clone(&sim.book), receipts)?;
    let sim = web::Data::new(sim);
    rt::System::new().block_on(async move {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let server = HttpServer::new(move || {
            // This runs once on each worker.
            let postman = office.postman();
            App::new()
                .app_data(sim.clone())
                .app_data(web::Data::new(postman))
                .app_data(web::FormConfig::default().limit(MAX_FORM))
                .app_data(web::JsonConfig::default().limit(MAX_PROFILE))
                .wrap(NormalizePath::trim())
                .configure(routes)
                .default_service(web::to(answers::nothing_here))
        });
        let server = server
            .workers(workers)
            .keep_alive(KEEP_ALIVE)
            .shutdown_timeout(1)
            .disable_signals()
            .on_connect(line::remember)
            .listen(listener)?
            .run();
        let handle = server.handle();
        let serving = rt::spawn(server);
        ready();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            ended = serving => return ended?,
        }
        handle.stop(true).await;
        Ok(())
    })
}

fn routes(config: &mut web::ServiceConfig) {
    const MESSAGES: &str = "/2010-04-01/Accounts/{account}/Messages";
    config
        .service(
            web::resource(format!("{MESSAGES}.json"))
                .route(web::post().to(messages::create))
                .route(web::get().to(lookup::list)),
        )
        .route(&format!("{MESSAGES}/{{sid}}.json"), web::get().to(lookup::fetch))
        .route("/", web::get().to(testers::page))
        .route("/messages.json", web::get().to(testers::messages))
        .route("/stats.json", web::get().to(testers::stats))
        .route("/reset", web::post().to(testers::reset))
        .route("/faults", web::get().to(testers::faults))
        .route("/faults", web::post().to(testers::set_faults));
}
