//! Which room may know which: nothing runs back up, no two rooms of one level know each other, no circle of files.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    assert_exactly,
    code::{BY_MODULE, File, SOURCES, Target},
};

/// The rooms, from top to bottom. A room may know all that stand on the levels below its own. Files that lie in `src`
/// itself and are not named here are the ground floor: any room may know them, and they know no room.
const LEVELS: [&[&str]; 10] = [
    &["main"],
    &["cli"],
    &["startup"],
    // What an operator may set: each room's own options, read in one place.
    &["settings"],
    &["http"],
    &["flows", "admin", "readiness"],
    &["challenges", "accounts", "ledger"],
    &["delivery", "events"],
    &["sms", "mail", "limits", "tokens"],
    &[
        "phone",
        "email",
        "database",
        "redis",
        "supervision",
        "telemetry",
        "texts",
    ],
];

/// What is not so yet: a room, one that it must not know and does, and why. It gets shorter until it is empty.
const KNOWN: &[(&str, &str, &str)] = &[];

/// Rooms in which files know each other in a circle, and why. It gets shorter until it is empty.
const KNOWN_CIRCLES: &[(&str, &str)] = &[];

/// Where a room stands; the ground floor is the lowest.
fn level(room: &str) -> usize {
    let at = LEVELS.iter().position(|rooms| rooms.contains(&room));
    at.unwrap_or(LEVELS.len())
}

/// The room of a file: the first name of its module.
fn room(file: &File) -> &str {
    file.module.first().map_or("main", String::as_str)
}

/// The files of the library and its `main.rs`. `lib.rs` is the map, and knows all rooms by name.
fn house() -> impl Iterator<Item = &'static File> {
    SOURCES
        .iter()
        .filter(|file| !file.path.starts_with("src/bin/") && file.path != "src/lib.rs")
}

/// The file that defines what a path names, behind all offers of others.
fn definition(path: &[String]) -> Option<&'static File> {
    let modules = &*BY_MODULE;
    let mut path = path.to_vec();
    for _ in 0..8 {
        let depth = (0..=path.len())
            .rev()
            .find(|&depth| depth > 0 && modules.contains_key(&path[..depth]))?;
        let (file, Some(name)) = (modules[&path[..depth]], path.get(depth)) else {
            return modules.get(&path[..depth]).copied();
        };
        if file.defines(name) {
            return Some(file);
        }
        let offers = || file.uses.iter().filter(|path| path.is_offer);
        let named = offers().find(|offer| offer.alias.as_ref() == Some(name));
        let rest = path[depth + 1..].to_vec();
        path = match named {
            Some(offer) => match file.resolve(offer) {
                Target::Ours(behind) => behind.into_iter().chain(rest).collect(),
                Target::Other(_) => return None,
            },
            None => {
                let all = offers().filter(|offer| offer.alias.as_deref() == Some("*"));
                let behind = all
                    .filter_map(|offer| match file.resolve(offer) {
                        Target::Ours(behind) => Some(behind),
                        Target::Other(_) => None,
                    })
                    .find(|behind| {
                        modules
                            .get(&behind[..])
                            .is_some_and(|behind| behind.defines(name))
                    });
                match behind {
                    Some(behind) => behind.into_iter().chain(path[depth..].iter().cloned()).collect(),
                    None => return Some(file),
                }
            }
        };
    }
    None
}

#[test]
fn every_room_has_its_level() {
    let ground = |file: &File| file.path.matches('/').count() == 1;
    let strange: BTreeSet<&str> = house()
        .filter(|file| level(room(file)) == LEVELS.len() && !ground(file))
        .map(room)
        .collect();
    assert!(strange.is_empty(), "which level do these stand on: {strange:?}?");
}

#[test]
fn nothing_knows_what_is_above_it_or_beside_it() {
    let mut broken: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for file in house() {
        for used in file.uses(false) {
            let Target::Ours(path) = file.resolve(used) else {
                continue;
            };
            let (from, Some(to)) = (room(file), path.first().map(String::as_str)) else {
                continue;
            };
            // Ground floor among itself: circles are looked for below. In capitals: an item of `lib.rs`.
            let both_ground = level(from) == LEVELS.len() && level(to) == LEVELS.len();
            if from != to && !both_ground && level(to) <= level(from) {
                let place = format!("{}:{} names {}", file.path, used.line, path.join("::"));
                broken
                    .entry((from.to_owned(), to.to_owned()))
                    .or_default()
                    .push(place);
            }
        }
    }
    let known = KNOWN.iter().map(|(from, to, _)| format!("{from} knows {to}"));
    let broken = broken
        .into_iter()
        .map(|((from, to), places)| (format!("{from} knows {to}"), places));
    assert_exactly(known, broken);
}

#[test]
fn files_know_each_other_in_no_circle() {
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in house().filter(|file| !file.is_test) {
        for used in file.uses(false).filter(|used| !used.is_offer) {
            let Target::Ours(path) = file.resolve(used) else {
                continue;
            };
            if let Some(to) = definition(&path)
                && to.path != file.path
                && to.path != "src/lib.rs"
            {
                edges.entry(&file.path).or_default().insert(&to.path);
            }
        }
    }
    let mut circles: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for circle in circles_of(&edges) {
        let rooms: BTreeSet<&str> = circle
            .iter()
            .map(|path| path.trim_start_matches("src/").split(['/', '.']).next().unwrap())
            .collect();
        let rooms = Vec::from_iter(rooms).join(", ");
        let among = circle.iter().map(|&file| {
            let known = edges[file].iter().filter(|known| circle.contains(*known));
            let known: Vec<&str> = known.copied().collect();
            format!("{file} knows {}", known.join(", "))
        });
        circles.entry(rooms).or_default().extend(among);
    }
    let known = KNOWN_CIRCLES.iter().map(|(room, _)| (*room).to_owned());
    assert_exactly(known, circles);
}

/// The sets of files of which each reaches each.
fn circles_of<'a>(edges: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<BTreeSet<&'a str>> {
    let reach = |from: &'a str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(next) = open.pop() {
            for &to in edges.get(next).into_iter().flatten() {
                if seen.insert(to) {
                    open.push(to);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> = edges.keys().map(|&from| (from, reach(from))).collect();
    let circle = |from: &'a str| -> BTreeSet<&'a str> {
        let back = |to: &&'a str| reached.get(to).is_some_and(|reached| reached.contains(from));
        reached[from].iter().copied().filter(back).collect()
    };
    edges
        .keys()
        .map(|&from| circle(from))
        .filter(|circle| !circle.is_empty())
        .collect()
}

#[test]
fn a_circle_is_seen() {
    let edges = BTreeMap::from([
        ("a", BTreeSet::from(["b", "d"])),
        ("b", BTreeSet::from(["c"])),
        ("c", BTreeSet::from(["a"])),
        ("d", BTreeSet::from(["e"])),
    ]);
    assert_eq!(
        circles_of(&edges),
        BTreeSet::from([BTreeSet::from(["a", "b", "c"])])
    );
}

#[test]
fn a_path_leads_where_the_compiler_takes_it() {
    let text = "
        use ::redis::Script;
        use crate::{clock::Clock, limits::{self, file as limits_file}};
        mod redis;
        pub use redis::RedisCounters;
        fn f() {
            limits::Rule::new(); limits_file::parse(); super::shard::X::new(); sqlx::query();
            tokio::select! { _ = crate::phone::parse() => {} }
        }
        #[cfg(test)]
        mod tests { use super::*; use crate::http::Page; }
    ";
    let file = File::parse("src/limits/store.rs", text);
    let leads = |tests_too: bool| -> Vec<String> {
        let leads = file.uses(tests_too).map(|used| match file.resolve(used) {
            Target::Ours(path) => format!("/{}", path.join("/")),
            Target::Other(path) => path.join("/"),
        });
        leads.collect()
    };
    let code = [
        "redis/Script",
        "/clock/Clock",
        "/limits",
        "/limits/file",
        "/limits/store/redis/RedisCounters",
        "/limits/Rule/new",
        "/limits/file/parse",
        "/limits/shard/X/new",
        "sqlx/query",
        "tokio/select",
        "/phone/parse",
    ];
    assert_eq!(leads(false), code);
    assert_eq!(leads(true)[code.len()..], ["/limits/store", "/http/Page"]);
}
