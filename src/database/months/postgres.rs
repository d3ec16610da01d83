//! Partitions of PostgreSQL, by month.
//!
//! Each table has one partition more, `…_rest`, for what no month has one for: an insert never fails for want of one. A
//! partition that comes too late takes over what is there of its month.
//!
//! Whatever is changed here waits for others 100 ms at most, and whoever comes behind it no longer: what did not get its lock
//! by then is tried again ten minutes later. Of several instances one does it at a time.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::super::{PostgresLink, Together};
use crate::{month::Month, retention::MonthsKept, unavailable::Unavailable};

/// Months to come that have a partition.
const AHEAD: usize = 3;
/// Rows of the rest that a late partition takes over at most: where there are more, the month stays there.
const MOST_MOVED: i64 = 10_000;
/// The number of the lock that one instance at a time holds, beside one of the table.
const LOCK: i32 = 1_382_641_257;
/// For each lock of a table.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '100ms'";

/// A table that is partitioned by the times with which its identifiers begin.
pub(crate) struct MonthlyTable {
    pub name: &'static str,
    /// The column of the identifiers.
    pub key: &'static str,
    /// What no row of then or later is below.
    pub first_id: fn(DateTime<Utc>) -> Uuid,
    /// How full of rows a page becomes, in percent. What is left takes rows that change, so that no index is written for them.
    pub fillfactor: u8,
}

impl MonthlyTable {
    fn partition(&self, month: Month) -> String {
        format!("{}_{month}", self.name)
    }

    /// The first identifier of a month, and of the next.
    fn bounds(&self, month: Month) -> (Uuid, Uuid) {
        let first = |month: Month| (self.first_id)(month.start());
        (first(month), first(month.next()))
    }

    /// The statements that make a partition, which takes over what is there of it in the rest.
    fn making(&self, month: Month, takes_over: bool) -> Vec<String> {
        let (name, key, partition) = (self.name, self.key, self.partition(month));
        let fillfactor = self.fillfactor;
        let (from, to) = self.bounds(month);
        let take_over = format!(
            "WITH moved AS (DELETE FROM {name}_rest WHERE {key} >= '{from}' AND {key} < '{to}' RETURNING *) \
             INSERT INTO {partition} SELECT * FROM moved"
        );
        let mut statements = vec![format!(
            "CREATE TABLE {partition} (LIKE {name} INCLUDING ALL) WITH (fillfactor = {fillfactor})"
        )];
        statements.extend(takes_over.then_some(take_over));
        // Attached, since a table that is made as a partition locks everybody out of the whole.
        statements.push(format!(
            "ALTER TABLE {name} ATTACH PARTITION {partition} FOR VALUES FROM ('{from}') TO ('{to}')"
        ));
        statements
    }
}

impl PostgresLink {
    /// Makes what is missing of this month's partition and those of the months to come, and drops those of months that ended
    /// before.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is down. What this role may not do, or what waits for others for too long, is in
    /// the answer.
    pub(crate) async fn keep_months(
        &self,
        table: &MonthlyTable,
        now: DateTime<Utc>,
        before: DateTime<Utc>,
    ) -> Result<MonthsKept, Unavailable> {
        let this = Month::of(now);
        let found = self.months(table).await?;
        let mut fault = None;
        // In order, and no further where another instance is at it: it leaves out none of those that come after.
        for month in this.on().take(1 + AHEAD).filter(|month| !found.contains(month)) {
            match self.make(table, month, month == this).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    fault = Some(error);
                    break;
                }
            }
        }
        for month in found.iter().filter(|month| month.next().start() <= before) {
            fault = self.drop(table, *month).await.err().or(fault);
        }
        let found = self.months(table).await?;
        let ahead = this.on().skip(1).take_while(|month| found.contains(month));
        Ok(MonthsKept {
            ahead: Some(ahead.count()),
            fault,
        })
    }

    /// The months that have a partition.
    async fn months(&self, table: &MonthlyTable) -> Result<Vec<Month>, Unavailable> {
        const SQL: &str = "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
             WHERE i.inhparent = to_regclass($1)";
        let query = sqlx::query_scalar(SQL).bind(table.name);
        let names: Vec<String> = self
            .bounded(async { query.fetch_all(self.lend().await?.session()).await })
            .await?;
        let month = |name: &String| {
            let month = name.strip_prefix(table.name)?.strip_prefix('_')?;
            Month::parse(month)
        };
        Ok(names.iter().filter_map(month).collect())
    }

    /// Makes a partition, if it is this instance's turn. `has_begun`: rows of it may be written at this very moment.
    async fn make(&self, table: &MonthlyTable, month: Month, has_begun: bool) -> Result<bool, Unavailable> {
        let partition = table.partition(month);
        let making = async {
            let mut lent = self.lend().await?;
            let mut together = lent.begin().await?;
            if !is_our_turn(&mut together, table).await? {
                return Ok(None);
            }
            if is_there(&mut together, &partition).await? {
                // Not dropped: the turn would be over only once the connection was given back.
                together.commit().await?;
                return Ok(Some(0));
            }
            if has_begun {
                // Who writes has chosen the rest already, which would refuse the row once there is a partition for it.
                let writers = format!("LOCK TABLE ONLY {} IN SHARE ROW EXCLUSIVE MODE", table.name);
                run(&mut together, writers).await?;
            }
            let rest = format!("LOCK TABLE {}_rest IN ACCESS EXCLUSIVE MODE", table.name);
            run(&mut together, rest).await?;
            let moved = rows_in_rest(&mut together, table, month).await?;
            if moved <= MOST_MOVED {
                for statement in table.making(month, moved > 0) {
                    run(&mut together, statement).await?;
                }
            }
            together.commit().await?;
            Ok(Some(moved))
        };
        match self.bounded(making).await? {
            None => return Ok(false),
            Some(moved) if moved > MOST_MOVED => {
                tracing::debug!(
                    partition,
                    "a month's rows stay in the rest: they are too many to be moved beside the work"
                );
            }
            Some(moved) => tracing::info!(partition, rows.moved = moved, "a partition is ready"),
        }
        Ok(true)
    }

    /// Drops a partition with all its rows.
    async fn drop(&self, table: &MonthlyTable, month: Month) -> Result<(), Unavailable> {
        let partition = table.partition(month);
        let dropping = async {
            let mut lent = self.lend().await?;
            let mut together = lent.begin().await?;
            if !is_our_turn(&mut together, table).await? || !is_there(&mut together, &partition).await? {
                return Ok(false);
            }
            run(&mut together, format!("DROP TABLE {partition}")).await?;
            together.commit().await?;
            Ok(true)
        };
        if self.bounded(dropping).await? {
            tracing::info!(partition, "a partition was dropped: its month is over");
        }
        Ok(())
    }
}

/// Whether no other instance is at the table's partitions. Bounds how long each lock is waited for from then on.
async fn is_our_turn(together: &mut Together<'_>, table: &MonthlyTable) -> Result<bool, sqlx::Error> {
    run(together, LOCK_TIMEOUT.to_owned()).await?;
    let lock = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1, hashtext($2))");
    let lock = lock.bind(LOCK).bind(table.name);
    lock.fetch_one(together.session()).await
}

async fn is_there(together: &mut Together<'_>, partition: &str) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(partition.to_owned());
    found.fetch_one(together.session()).await
}

/// How many rows of a month are in the rest; one more than [`MOST_MOVED`] where there are more than that.
async fn rows_in_rest(
    together: &mut Together<'_>,
    table: &MonthlyTable,
    month: Month,
) -> Result<i64, sqlx::Error> {
    let (name, key, (from, to)) = (table.name, table.key, table.bounds(month));
    let sql = format!(
        "SELECT count(*) FROM (SELECT FROM {name}_rest WHERE {key} >= $1 AND {key} < $2 LIMIT {MOST_MOVED} + 1) AS rows"
    );
    let count = sqlx::query_scalar(AssertSqlSafe(sql)).bind(from).bind(to);
    count.fetch_one(together.session()).await
}

/// Runs what has no parameters: names of tables and times of months go into it, and nothing else.
async fn run(together: &mut Together<'_>, statement: String) -> Result<(), sqlx::Error> {
    let statement = sqlx::raw_sql(AssertSqlSafe(statement));
    statement.execute(together.session()).await.map(drop)
}
