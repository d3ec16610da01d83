//! The connection to PostgreSQL that a lane of lookups has of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{PgConnection, SqlStr};

use crate::database::{connection::postgres::Session, postgres::PostgresLink};

/// A lane's connection that was used so lately is taken to be alive; another is asked first, as those of the pool always
/// are: what they serve can afford it.
const FRESH: Duration = Duration::from_millis(100);

/// A connection of a lane of lookups' own. One from the pool would have been made by another thread, more likely than
/// not, whose event loop hears what the server says and has to wake this one; and the pool asks each that comes back
/// whether it lives, which is another round trip.
#[derive(Default)]
pub(crate) struct Own(Option<Alive>);

struct Alive {
    connection: PgConnection,
    begin: Option<SqlStr>,
    made: Instant,
    used: Instant,
    open: Arc<AtomicUsize>,
}

impl Own {
    /// The connection, made now if there is none, or if what there was has ended while nobody asked.
    pub async fn connection(&mut self, link: &PostgresLink) -> Result<Session<'_>, sqlx::Error> {
        // What is rare is on the heap: its future is far larger than a query's, and would make each lookup's as large.
        if let Some(mut alive) = self.0.take()
            && Box::pin(link.trust.check(
                &mut alive.connection,
                alive.made.elapsed(),
                alive.used.elapsed(),
                FRESH,
            ))
            .await
            .is_ok()
        {
            alive.used = Instant::now();
            return Ok(self.0.insert(alive).session());
        }
        let (connection, begin) = Box::pin(link.connect()).await?;
        link.own.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let alive = Alive {
            connection,
            begin,
            made: now,
            used: now,
            open: Arc::clone(&link.own),
        };
        Ok(self.0.insert(alive).session())
    }
}

impl Alive {
    fn session(&mut self) -> Session<'_> {
        Session::each(&mut self.connection, self.begin.as_ref())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}
