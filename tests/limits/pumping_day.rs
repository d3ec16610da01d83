//! Days of SMS pumping under the rules that are shipped: what each kind of pumper gets, and whether users are turned away.

use super::pumping::{Day, Outcome};

impl Outcome {
    /// Nobody is turned away, and hardly anybody has to prove work: some clients can't.
    fn serves_users(&self) {
        assert!(self.turned_away <= 2 && self.worked <= 50);
    }
}

#[actix::test]
async fn a_pumper_gets_next_to_nothing_and_users_are_not_turned_away() {
    let day = Day {
        pause_ms: 600, // a hundred a minute
        ..Day::usual()
    };
    let outcome = day.pass().await;
    assert!(outcome.pumped <= 200);
    outcome.serves_users();
}

#[actix::test]
async fn who_proves_work_gets_little_more() {
    let outcome = Day {
        works: true,
        ..Day::usual()
    }
    .pass()
    .await;
    assert!(outcome.pumped <= 200);
    outcome.serves_users();
}

/// All users of the day live in two neighbouring ranges of numbers, of which none was heard before.
#[actix::test]
async fn a_launch_in_one_town_is_no_pumping() {
    let day = Day {
        pumped: vec!["+99291710".to_owned()],
        lived_in: ["+1415201", "+1415202"].map(str::to_owned).to_vec(),
        ..Day::usual()
    };
    day.pass().await.serves_users();
}

#[actix::test]
async fn who_types_a_tenth_of_the_codes_gets_little_more() {
    for works in [false, true] {
        let day = Day {
            typed_of_ten: 1,
            works,
            ..Day::usual()
        };
        let outcome = day.pass().await;
        assert!(outcome.pumped <= 600);
        outcome.serves_users();
    }
}

/// As bounded as the bill is: `docs/limits.md` says by how much.
#[actix::test]
async fn who_types_all_codes_is_stopped_by_the_money() {
    let day = Day {
        typed_of_ten: 10,
        ..Day::usual()
    };
    let outcome = day.pass().await;
    assert!(outcome.cents <= 75_000, "150 dollars for each of five countries");
    assert!(outcome.turned_away <= 2);
}

/// From as many addresses as there are requests: no rule by network sees anything.
#[actix::test]
async fn residential_addresses_change_nothing() {
    let day = Day {
        addresses: 14_400,
        works: true,
        ..Day::usual()
    };
    let outcome = day.pass().await;
    assert!(outcome.pumped <= 200);
    outcome.serves_users();
}

/// A quarter of the users, where nobody pumps.
#[actix::test]
async fn where_a_quarter_types_no_code_nobody_is_turned_away() {
    for seed in 0..3 {
        let day = Day {
            forgets_one_of: 4,
            seed,
            pause_ms: 60_000,
            ..Day::usual()
        };
        assert!(day.pass().await.turned_away <= 2, "{seed}");
    }
}

/// Each number in a block of its own, in five countries where nobody lives.
#[actix::test]
async fn numbers_from_all_over_a_country_are_stopped_by_the_country() {
    let countries = ["+9929", "+2162", "+2526", "+3749", "+9967"];
    let blocks = (0..500).flat_map(|n| countries.map(|country| format!("{country}{:05}", n * 83 + 10_000)));
    let day = Day {
        pause_ms: 2000,
        pumped: blocks.collect(),
        numbers: 20,
        ..Day::usual()
    };
    let outcome = day.pass().await;
    assert!(outcome.pumped <= 200);
    outcome.serves_users();
}

/// Many blocks of each country, of which users live in one.
#[actix::test]
async fn many_blocks_are_stopped_by_their_countries() {
    let countries = ["+992917", "+447457", "+216551", "+252611", "+374771"];
    let blocks = (0..40).flat_map(|n| countries.map(|country| format!("{country}{n:02}")));
    let day = Day {
        pumped: blocks.collect(),
        ..Day::usual()
    };
    let outcome = day.pass().await;
    assert!(outcome.pumped <= 200);
    assert!(outcome.turned_away <= 2);
}

/// In the very blocks in which people live: they prove work, and pass. What they give back by their codes, the pumper doesn't get.
#[actix::test]
async fn who_pumps_where_people_live_turns_few_away() {
    // One day may go well by chance.
    for seed in 0..8 {
        let outcome = in_users_blocks(seed).pass().await;
        assert!(outcome.pumped <= 200, "{seed}");
        assert!(outcome.turned_away <= 2, "{seed}");
    }
}

/// Each town's users are in one block, and so are the numbers that are pumped.
fn in_users_blocks(seed: usize) -> Day {
    let towns = Day::usual().lived_in;
    Day {
        pumped: towns.iter().map(|town| format!("{town}0")).collect(),
        longer_by: 1,
        seed,
        ..Day::usual()
    }
}
