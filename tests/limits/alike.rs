//! The algorithm where Redis counts, and where this process does: one behaviour.

use proptest::test_runner::{Config, TestRunner};
use ringback::{
    limits::{
        GCRA_LUA,
        gcra::{self, Bucket, Decision, Growth, Typed, WorkRoom},
        with_spend,
    },
    redis::{RedisLink, lua},
};

use super::{redis, unique};

/// Random costs, bursts and pauses: where Redis counts, each answer and each counter is the one that `gcra.rs` gives.
#[test]
fn lua_and_rust_decide_alike() {
    // PERSIST: the time here is made up, so Redis must not let a key expire by its own.
    // Where another counter stands before it in its record, that stays what it was.
    const STEP_LUA: &str = "
local now_us, cost, burst, grows = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[5])
local units, worked_by, other = tonumber(ARGV[6]), tonumber(ARGV[7]), struct.pack('<c4dd', 'othr', 2 * now_us, 7)
local tag = struct.unpack('<I4', 'test')
if ARGV[10] == '1' then
  if not call('GET', KEYS[1]) then call('SET', KEYS[1], struct.pack('<d', 2 * now_us) .. other) end
  other = struct.unpack('c20', call('GET', KEYS[1]), 9)
end
local function rule(place, units, works)
  if grows > 0 then place = place + GROWS end
  if works then place = place + WORKS end
  local rule = struct.pack(RULE, place, tag, cost, (burst - units) * cost, units * cost)
  if grows > 0 then rule = rule .. struct.pack('<d', grows) end
  return rule
end
local said, rest = 2, 0
if ARGV[4] == '0' then
  gcra_give_back(KEYS[1], tag, now_us, cost, 1, grows)
elseif ARGV[4] == '1' or tonumber(ARGV[4]) >= 7 then
  local records = call('MGET', KEYS[1])
  gcra_refund(records, 0, rule(1, 0, worked_by > 0), 1, now_us, tonumber(ARGV[8]), ARGV[9] == '1')
else
  local stored, first, rules, rules_at = call('MGET', KEYS[1]), 0, rule(1, units, ARGV[9] == '1'), 1
--spend
  local room = struct.unpack('<d', attached, 2)
  if room >= 0 then said, rest = 1, floor(room / cost) else said, rest = 0, min(-room, (units + worked_by) * cost) end
end
local stored, text = call('GET', KEYS[1]), ''
if stored then
  redis.call('PERSIST', KEYS[1])
  if ARGV[10] == '1' and struct.unpack('c20', stored, 9) ~= other then error('the other counter has changed') end
  local from, _, tat, cost, growth, ends, raised = gcra_find(stored, tag)
  if from < #stored then text = string.format('%.0f:%.0f', tat, cost) end
  if growth > 0 then text = text .. string.format(':%.0f:%.0f', growth, ends) end
  if raised > 0 then text = text .. '+' .. raised end
  if struct.unpack('<d', stored) < max(tat, ends) then error('it would be gone too early') end
end
return {said, rest, text}";
    let text = lua::text_of(&[GCRA_LUA], &with_spend(STEP_LUA));
    let script = redis::Script::new(&text);
    let link = redis("RINGBACK_TEST_REDIS_URL");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let costs = (1_i64..90_000_000_000, 1_i64..1_000_000);
    let steps = proptest::collection::vec((-20_000_000_i64..300_000_000, 0_u8..12), 1..40);
    let mut runner = TestRunner::new(Config {
        cases: 64,
        failure_persistence: None,
        ..Config::default()
    });
    let numbers = (1_u32..20, 0_u32..9, 1_u32..4, 0_u32..5, 0_i64..2);
    let outcome = runner.run(
        &(costs, numbers, steps),
        |(costs, (burst, grows_by, units, worked_by, beside), steps)| {
            let key = unique();
            let (mut now, mut bucket, mut growth) = (1_800_000_000_123_457, None, Growth::default());
            for (pause, what) in steps {
                now += pause;
                let emission_us = if what % 4 == 1 { costs.1 } else { costs.0 };
                // Half of those that spend have brought a proof of work.
                let (burst, worked_by) = match what {
                    2..=4 => (burst + worked_by, 0),
                    _ => (burst, worked_by),
                };
                let larger = burst + growth.at(now, grows_by);
                let work = WorkRoom {
                    by: worked_by,
                    is_given: (2..=4).contains(&what),
                };
                let typed = Typed {
                    earns: matches!(what, 1 | 8 | 10 | 11),
                    is_new: what == 1 || what == 8,
                    has_worked: matches!(what, 8 | 9 | 11) && worked_by > 0,
                };
                let raised = bucket.map_or(0, |bucket: Bucket| bucket.raised_at(now));
                let at = |tat| Bucket {
                    raised,
                    ..Bucket::new(tat, emission_us)
                };
                let (expected, after) = match (
                    what,
                    gcra::decide_units(bucket, now, emission_us, larger, work, units),
                ) {
                    (0, _) => {
                        let tat = bucket.and_then(|bucket| gcra::give_back(bucket, now, emission_us));
                        ((2, 0), Some(tat.map(at)))
                    }
                    (1 | 7.., _) => {
                        let (lower, grown) =
                            gcra::refund(bucket, growth, now, emission_us, burst, grows_by, typed);
                        growth = grown;
                        ((2, 0), Some(Some(lower).filter(|lower| lower.tat > now)))
                    }
                    (_, Decision::Allow { new_tat, remaining }) => {
                        ((1, i64::from(remaining)), Some(Some(at(new_tat))))
                    }
                    (_, Decision::Refuse { retry_after_us }) => ((0, retry_after_us), None),
                };
                // A counter without anything in it is gone, unless it has grown.
                let is_grown = growth.at(now, grows_by) > 0;
                bucket = match after {
                    None => bucket,
                    Some(after) => after.or(is_grown.then_some(Bucket::new(now, emission_us))),
                };
                let arguments = [
                    now,
                    emission_us,
                    burst.into(),
                    what.into(),
                    grows_by.into(),
                    units.into(),
                    worked_by.into(),
                    i64::from(typed.earns) + i64::from(typed.is_new),
                    i64::from(matches!(what, 8 | 9 | 11) || work.is_given),
                    beside,
                ];
                let (said, rest, stored) = runtime.block_on(step(&link, &script, &key, &arguments));
                proptest::prop_assert_eq!((said, rest), expected);
                let mut expected = bucket.map_or(String::new(), |bucket| {
                    format!("{}:{}", bucket.tat, bucket.emission_us)
                });
                if is_grown {
                    expected.push_str(&format!(":{}:{}", growth.by, growth.until_us));
                }
                if let Some(raised @ 1..) = bucket.map(|bucket| bucket.raised) {
                    expected.push_str(&format!("+{raised}"));
                }
                proptest::prop_assert_eq!(stored, expected);
            }
            Ok(())
        },
    );
    outcome.unwrap();
}

async fn step(link: &RedisLink, script: &redis::Script, key: &str, arguments: &[i64]) -> (i64, i64, String) {
    link.eval(script, 1, |call| {
        call.key(0, [key]);
        for argument in arguments {
            call.arg(*argument);
        }
    })
    .await
    .unwrap()
}
