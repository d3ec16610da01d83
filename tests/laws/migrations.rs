//! Migrations expand first and contract a version later, so that two versions run side by side on one database.

use crate::{assert_none, code::files};

/// How a migration begins that takes away what no version in use needs any more.
const CONTRACTS: &str = "-- contract: ";

/// The last migration of the first version: on a new database its tables are empty while these run.
const FIRST_VERSION: &str = "20261128000000";

/// What in a migration would break the version before it, or hold its requests up.
fn faults(sql: &str) -> Vec<String> {
    let code: Vec<_> = sql.lines().map(|line| line.split("--").next().unwrap()).collect();
    let code = code.join(" ").to_uppercase();
    let statements: Vec<String> = code
        .split(';')
        .map(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let tables: Vec<&str> = statements
        .iter()
        .filter_map(|statement| statement.strip_prefix("CREATE TABLE "))
        .filter_map(|rest| rest.split([' ', '(']).next())
        .collect();
    let mut faults = Vec::new();
    for statement in &statements {
        let has = |words: &str| format!(" {statement} ").contains(&format!(" {words} "));
        let takes_away = [
            "DROP TABLE",
            "DROP COLUMN",
            "RENAME",
            "SET NOT NULL",
            "SET DATA TYPE",
        ];
        let changes_type = statement.contains(" ALTER COLUMN ") && has("TYPE");
        if takes_away.iter().any(|words| has(words)) || changes_type {
            faults.push(format!("takes away what the version before uses: {statement}"));
        }
        let mut columns = statement.split(" ADD COLUMN ").skip(1);
        if columns.any(|column| column.contains("NOT NULL") && !column.contains("DEFAULT")) {
            faults.push(format!("the version before can't insert: {statement}"));
        }
        let is_index = statement.starts_with("CREATE INDEX") || statement.starts_with("CREATE UNIQUE INDEX");
        let table = statement
            .split(" ON ")
            .nth(1)
            .and_then(|rest| rest.split([' ', '(']).next());
        let is_new = table.is_some_and(|table| tables.contains(&table));
        if is_index && !is_new && !has("CONCURRENTLY") {
            faults.push(format!("holds up writes while it runs: {statement}"));
        }
    }
    if sql.starts_with(CONTRACTS) {
        faults.retain(|fault| !fault.starts_with("takes away"));
    }
    faults
}

#[test]
fn migrations_let_the_version_before_run_on() {
    let mut broken = Vec::new();
    let files = files("migrations", &[".sql"]);
    assert!(files.len() > 8, "{}", files.len());
    for (path, sql) in files {
        let mut faults = faults(&sql);
        let number = path.rsplit('/').next().unwrap();
        // SQLite is one process's alone: nobody waits for an index there.
        let may_hold_up = path.contains("sqlite") || number[..14] <= *FIRST_VERSION;
        faults.retain(|fault| !(may_hold_up && fault.starts_with("holds up")));
        broken.extend(faults.into_iter().map(|fault| format!("{path}: {fault}")));
    }
    assert_none(&broken);
}

#[test]
fn what_would_break_the_version_before_is_found() {
    for fine in [
        "CREATE TABLE a (id bigint NOT NULL); CREATE UNIQUE INDEX i ON a (id);",
        "ALTER TABLE a ADD COLUMN b text; -- RENAME nothing",
        "ALTER TABLE a ADD COLUMN b text NOT NULL DEFAULT 'x', ADD COLUMN type text;",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY i ON a (id);",
        "-- contract: no version since 0.3 reads it\nALTER TABLE a DROP COLUMN b;",
    ] {
        assert_eq!(faults(fine), <[String; 0]>::default(), "{fine}");
    }
    for broken in [
        "DROP TABLE a;",
        "ALTER TABLE a\n  DROP COLUMN b;",
        "alter table a rename column b to c;",
        "ALTER TABLE a ALTER COLUMN b TYPE bigint;",
        "ALTER TABLE a ALTER COLUMN b SET NOT NULL;",
        "ALTER TABLE a ADD COLUMN b text DEFAULT 'x', ADD COLUMN c text NOT NULL;",
        "CREATE INDEX i ON a (id);",
        "-- contract: old\nCREATE INDEX i ON a (id);",
    ] {
        assert_eq!(faults(broken).len(), 1, "{broken}");
    }
}
