//! The connection to PostgreSQL that a lane of lookups has of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use sqlx::{PgConnection, SqlStr};

use crate::database::{
    connection::postgres::{Session, Trust},
    pool::postgres::FRESH,
    postgres::PostgresLink,
};

/// A connection of a lane of lookups' own. One from the pool would have been made by another thread, more likely than
/// not, whose event loop hears what the server says and has to wake this one.
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
            && alive.is_of_use(&link.trust).await
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
    async fn is_of_use(&mut self, trust: &Trust) -> bool {
        let (age, idle_for) = (self.made.elapsed(), self.used.elapsed());
        if idle_for < FRESH && !trust.gives_up(age, idle_for) {
            return true;
        }
        let check = trust.check(&mut self.connection, age, idle_for);
        Box::pin(check).await.is_ok()
    }

    fn session(&mut self) -> Session<'_> {
        Session::each(&mut self.connection, self.begin.as_ref())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}
