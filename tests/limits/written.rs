//! Scripts that are written for given rules, beside the one that reads them: one behaviour.

use std::collections::BTreeMap;

use proptest::{prelude::*, test_runner::TestRunner};
use ringback::{
    limits::{GCRA_LUA, VARIES, with_spend, with_spend_of},
    redis::{RedisLink, lua},
};

use super::{redis, unique};

// PERSIST: the time here is made up, so Redis must not let a key expire by its own.
const STEP_LUA: &str = "
local now_us, stored, first, rules, rules_at = tonumber(ARGV[1]), call('MGET', unpack(KEYS)), 0, ARGV[2], 1
--spend
for _, key in ipairs(KEYS) do call('PERSIST', key) end
return {refused and 1 or 0, attached, shadowed}";

const RECORDS: u16 = 3;
const COSTS: [i64; 3] = [1_000_000, 7_000_001, 90_000_000];

#[derive(Debug, Clone)]
struct Rule {
    record: u16,
    emission_us: i64,
    burst: i64,
    units: i64,
    grows: i64,
    is_shadow: bool,
    spends: bool,
    varies: bool,
    has_worked: bool,
}

#[derive(Debug, Clone)]
struct Stored {
    tag: u32,
    ahead_us: i64,
    cost: i64,
    growth: i64,
    growth_ahead_us: i64,
    raised: u32,
}

fn rule() -> impl Strategy<Value = Rule> {
    let numbers = (1..=RECORDS, 0_usize..3, 1_i64..6, 1_i64..3, 0_i64..2);
    (numbers, any::<bool>(), 0_u8..4, any::<bool>(), any::<bool>()).prop_map(
        |((record, cost, burst, units, grows), is_shadow, asks, varies, has_worked)| Rule {
            record,
            emission_us: COSTS[cost],
            burst,
            units,
            grows: grows * 3,
            is_shadow,
            spends: asks != 0,
            varies,
            has_worked,
        },
    )
}

/// Counters of tags that rules have, and of others.
fn stored() -> impl Strategy<Value = Stored> {
    (
        1_u32..9,
        -9_000_000_i64..200_000_000,
        0_usize..3,
        0_i64..5,
        -9_000_000_i64..200_000_000,
        0_u32..8,
    )
        .prop_map(|(tag, ahead_us, cost, growth, growth_ahead_us, raised)| Stored {
            tag,
            ahead_us,
            cost: COSTS[cost],
            growth,
            growth_ahead_us,
            raised: raised.saturating_sub(4),
        })
}

/// Rules as scripts take them. `is_signed`: what varies is left out, and told apart.
fn packed(rules: &[Rule], has_message: bool, is_signed: bool) -> (Vec<u8>, Vec<u8>) {
    let (mut all, mut varying) = (Vec::new(), Vec::new());
    for (rule, tag) in rules.iter().zip(1_u32..) {
        let mut flags = if rule.is_shadow { 1024 } else { 0 };
        if rule.grows > 0 {
            flags |= 2048 | if rule.has_worked { 4096 } else { 0 };
        }
        let room = (rule.burst - rule.units) * rule.emission_us;
        let spends = rule.spends || has_message;
        let spent = if spends { rule.units * rule.emission_us } else { 0 };
        let (mut room, mut spent) = (room as f64, spent as f64);
        if is_signed && rule.varies {
            varying.extend([room, spent].iter().flat_map(|number| number.to_le_bytes()));
            (room, spent) = (VARIES, f64::from(u8::from(spends)));
        }
        all.extend((rule.record | flags).to_le_bytes());
        all.extend(tag.to_le_bytes());
        all.extend(
            [rule.emission_us as f64, room, spent]
                .iter()
                .flat_map(|number| number.to_le_bytes()),
        );
        if rule.grows > 0 {
            all.extend((rule.grows as f64).to_le_bytes());
        }
    }
    (all, varying)
}

/// A record of these counters, none twice. Where a rule does not always spend, its counter has its own cost: another one would
/// drain at another pace until it is written.
fn record(counters: &[Stored], rules: &[Rule], now: i64) -> Vec<u8> {
    let mut seen = Vec::new();
    let mut bytes = ((now + 400_000_000) as f64).to_le_bytes().to_vec();
    for counter in counters {
        if seen.contains(&counter.tag) {
            continue;
        }
        seen.push(counter.tag);
        let (mut cost, mut grown) = (counter.cost, (counter.growth as u32, counter.raised));
        if let Some(rule) = rules.get(counter.tag as usize - 1) {
            if rule.is_shadow || !rule.spends {
                cost = rule.emission_us;
            }
            if rule.grows == 0 {
                grown = (0, 0);
            }
        }
        if grown != (0, 0) {
            cost = -cost;
        }
        bytes.extend(counter.tag.to_le_bytes());
        bytes.extend(((now + counter.ahead_us) as f64).to_le_bytes());
        bytes.extend((cost as f64).to_le_bytes());
        if grown != (0, 0) {
            bytes.extend(grown.0.to_le_bytes());
            bytes.extend(grown.1.to_le_bytes());
            bytes.extend(((now + counter.growth_ahead_us) as f64).to_le_bytes());
        }
    }
    bytes
}

/// What matters in a record: of each counter when it is empty, its cost, by how much it has grown and is raised, and until when; computed as the
/// rule that it belongs to would.
fn meaning(record: Option<&[u8]>, rules: &[Rule], now: i64) -> BTreeMap<u32, (i64, [i64; 4])> {
    let mut counters = BTreeMap::new();
    let Some((last, mut rest)) = record.and_then(|record| record.split_first_chunk()) else {
        return counters;
    };
    let last = f64::from_le_bytes(*last) as i64;
    let number = |rest: &mut &[u8]| {
        let (bytes, behind) = rest.split_first_chunk().unwrap();
        *rest = behind;
        f64::from_le_bytes(*bytes) as i64
    };
    while let Some((tag, behind)) = rest.split_first_chunk() {
        rest = behind;
        let tag = u32::from_le_bytes(*tag);
        let (mut tat, mut cost) = (number(&mut rest), number(&mut rest));
        let (mut growth, mut raised, mut until) = (0, 0, 0);
        if cost < 0 {
            cost = -cost;
            let (grown, behind) = rest.split_first_chunk::<8>().unwrap();
            let grown = u64::from_le_bytes(*grown);
            (growth, raised) = ((grown & 0xFFFF_FFFF) as i64, (grown >> 32) as i64);
            rest = behind;
            until = number(&mut rest);
        }
        let matters_until = tat.max(until);
        assert!(
            last >= matters_until || now >= matters_until,
            "it would be gone too early"
        );
        if let Some(rule) = rules.get(tag as usize - 1) {
            if tat > now && cost != rule.emission_us {
                let span = (tat - now) as f64 * rule.emission_us as f64 / cost as f64;
                tat = now + (span + 0.5).floor() as i64;
            }
            cost = rule.emission_us;
            growth = growth.min(rule.grows);
        }
        if growth == 0 || until <= now {
            (growth, until) = (0, 0);
        }
        if tat <= now {
            (tat, raised) = (now, 0);
        }
        if tat > now || growth > 0 {
            counters.insert(tag, (tat, [cost, growth, raised, until]));
        }
    }
    counters
}

/// Rules, what each record holds of them, and requests: how long after the one before, and whether with a message.
type Case = (Vec<Rule>, Vec<Vec<Stored>>, Vec<(i64, bool)>);

/// Random rules, some of which cost a message nothing or another sum each time, meet records of any kind, in any order.
#[test]
fn a_script_for_given_rules_spends_as_the_one_that_reads_them() {
    let link = redis("RINGBACK_TEST_REDIS_URL");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let reads = script(&with_spend(STEP_LUA));
    let kept = prop::collection::vec(prop::collection::vec(stored(), 0..5), usize::from(RECORDS));
    let steps = prop::collection::vec((0_i64..40_000_000, any::<bool>()), 1..12);
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let cases = (prop::collection::vec(rule(), 1..7), kept, steps);
    let agree = |(rules, kept, steps): Case| {
        let mut now = 1_800_000_000_123_457;
        let written = [false, true].map(|has_message| {
            script(&with_spend_of(&packed(&rules, has_message, true).0, STEP_LUA).unwrap())
        });
        let keys =
            [unique(), unique()].map(|name| (0..RECORDS).map(|at| format!("{name}{at}")).collect::<Vec<_>>());
        for keys in &keys {
            for (key, counters) in keys
                .iter()
                .zip(&kept)
                .filter(|(_, counters)| !counters.is_empty())
            {
                runtime.block_on(set(&link, key, &record(counters, &rules, now)));
            }
        }
        for (pause, has_message) in steps {
            now += pause;
            let (all, _) = packed(&rules, has_message, false);
            let (_, varying) = packed(&rules, has_message, true);
            let expected = runtime.block_on(step(&link, &reads, &keys[0], now, &all));
            let said = runtime.block_on(step(
                &link,
                &written[usize::from(has_message)],
                &keys[1],
                now,
                &varying,
            ));
            let (rooms, expected_rooms) = (rooms(&said.1), rooms(&expected.1));
            // Where rules have changed, a counter may be rounded a step earlier here than there.
            let is_close = |(one, other): (&i64, &i64)| (one - other).abs() <= 2;
            prop_assert!(
                rooms.len() == rules.len() && rooms.iter().zip(&expected_rooms).all(is_close),
                "{rooms:?} {expected_rooms:?}"
            );
            if rooms != expected_rooms && rooms.iter().any(|room| room.abs() <= 2) {
                return Ok(());
            }
            prop_assert_eq!((said.0, said.2), (expected.0, expected.2));
            for (one, other) in keys[0].iter().zip(&keys[1]) {
                let [one, other] = [one, other].map(|key| runtime.block_on(get(&link, key)));
                let (one, other) = (
                    meaning(one.as_deref(), &rules, now),
                    meaning(other.as_deref(), &rules, now),
                );
                prop_assert_eq!(other.keys().collect::<Vec<_>>(), one.keys().collect::<Vec<_>>());
                for (other, one) in other.values().zip(one.values()) {
                    prop_assert!((other.0 - one.0).abs() <= 2 && other.1 == one.1);
                }
            }
        }
        Ok(())
    };
    // A shadow rule that refuses each message, and a record that is over but not yet gone: Redis keeps it to the end of a millisecond.
    let too_dear = Rule {
        record: 1,
        emission_us: COSTS[0],
        burst: 1,
        units: 2,
        grows: 0,
        is_shadow: true,
        spends: true,
        varies: false,
        has_worked: false,
    };
    let empty = Stored {
        tag: 1,
        ahead_us: -1,
        cost: COSTS[0],
        growth: 0,
        growth_ahead_us: 0,
        raised: 0,
    };
    agree((
        vec![too_dear],
        vec![vec![empty], Vec::new(), Vec::new()],
        vec![(400_000_001, true)],
    ))
    .unwrap();
    runner.run(&cases, agree).unwrap();
}

/// The room of each counter.
fn rooms(attached: &[u8]) -> Vec<i64> {
    let rooms = attached[1..].chunks_exact(8);
    rooms
        .map(|room| f64::from_le_bytes(room.try_into().unwrap()) as i64)
        .collect()
}

fn script(text: &str) -> redis::Script {
    redis::Script::new(&lua::text_of(&[GCRA_LUA], text))
}

async fn step(
    link: &RedisLink,
    script: &redis::Script,
    keys: &[String],
    now: i64,
    rules: &[u8],
) -> (i64, Vec<u8>, Vec<u8>) {
    link.eval(script, keys.len(), |call| {
        for key in keys {
            call.key(0, [key.as_str()]);
        }
        call.arg(now).arg(rules);
    })
    .await
    .unwrap()
}

async fn set(link: &RedisLink, key: &str, record: &[u8]) {
    let mut pipeline = redis::pipe();
    pipeline.set(link.key(0, key), record).ignore();
    link.pipeline(&pipeline).await.unwrap()
}

async fn get(link: &RedisLink, key: &str) -> Option<Vec<u8>> {
    let mut pipeline = redis::pipe();
    pipeline.get(link.key(0, key));
    let (record,): (Option<Vec<u8>>,) = link.pipeline(&pipeline).await.unwrap();
    record
}
