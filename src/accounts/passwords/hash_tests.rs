//! Tests of `hash.rs`.

use std::time::{Duration, Instant};

use super::*;
use crate::entropy::SystemEntropy;

/// Cheap, and none of the defaults.
const CHEAP: Argon2Cost = Argon2Cost {
    memory_kib: 64,
    passes: 1,
    lanes: 1,
};

fn pool(cost: Argon2Cost) -> Argon2Pool {
    Argon2Pool::new(cost, 2, Arc::new(SystemEntropy)).unwrap()
}

fn password(text: &str) -> Password {
    Password::presented(text)
}

#[test]
fn a_hash_says_its_parameters_and_no_two_are_alike() {
    let pool = pool(Argon2Cost::default());
    let [one, two] = [(); 2].map(|()| pool.hash(&password("geheim78")).unwrap());
    assert!(
        one.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{}",
        one.expose()
    );
    assert_ne!(one, two);
}

#[test]
fn the_right_password_matches_and_no_other() {
    let pool = pool(CHEAP);
    let hash = pool.hash(&password("geheim78")).unwrap();
    let verdict = pool.verify(&password("geheim78"), Some(&hash));
    assert!(verdict.matches && !verdict.needs_rehash);
    for wrong in ["geheim79", "Geheim78", "geheim78 ", ""] {
        assert_eq!(pool.verify(&password(wrong), Some(&hash)), Verdict::NO, "{wrong}");
    }
}

#[test]
fn what_other_libraries_made_is_read() {
    // From test.c of the reference implementation in C (phc-winner-argon2).
    let reference = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    let verdict = pool(CHEAP).verify(
        &password("password"),
        Some(&PasswordHash::from_stored(reference.to_owned())),
    );
    assert!(verdict.matches && verdict.needs_rehash);
}

#[test]
fn a_hash_of_another_cost_matches_and_asks_to_be_made_anew() {
    let before = pool(CHEAP);
    let hash = before.hash(&password("geheim78")).unwrap();
    for memory_kib in [32, 128] {
        let after = pool(Argon2Cost { memory_kib, ..CHEAP });
        let verdict = after.verify(&password("geheim78"), Some(&hash));
        assert!(verdict.matches && verdict.needs_rehash);
        assert_eq!(after.verify(&password("wrong"), Some(&hash)), Verdict::NO);
    }
}

/// Who guesses must not learn that somebody is there, and has not signed in since the cost was raised.
#[test]
fn a_wrong_password_takes_no_less_time_where_the_hash_is_cheaper_than_today() {
    let old = pool(CHEAP).hash(&password("geheim78")).unwrap();
    let today = pool(Argon2Cost {
        memory_kib: 8192,
        passes: 2,
        lanes: 1,
    });
    let took = |hash: Option<&PasswordHash>| {
        let began = Instant::now();
        assert_eq!(today.verify(&password("wrong"), hash), Verdict::NO);
        began.elapsed()
    };
    // In turns, and the least of many: what else the machine does meanwhile only adds.
    let times = (0..9).map(|_| (took(Some(&old)), took(None)));
    let (old, nobody) = times.fold((Duration::MAX, Duration::MAX), |least, now| {
        (least.0.min(now.0), least.1.min(now.1))
    });
    assert!(old > nobody / 2, "{old:?}, {nobody:?}");
}

#[test]
fn what_is_made_up_for_is_the_difference_to_the_cost_of_today() {
    let today = pool(Argon2Cost {
        memory_kib: 200,
        passes: 3,
        lanes: 2,
    });
    let left = |memory_kib, passes| {
        let then = Params::new(memory_kib, passes, 1, None).unwrap();
        let left = today.left_of_today(&then);
        left.map(|left| (left.m_cost(), left.t_cost()))
    };
    assert_eq!(left(100, 3), Some((100, 3)));
    assert_eq!(left(150, 2), Some((100, 3)));
    assert_eq!(left(8, 1), Some((197, 3)));
    assert_eq!(left(199, 3), None, "less than any hash");
    assert_eq!(left(200, 3), None);
    assert_eq!(left(Argon2Cost::MAX_MEMORY_KIB, Argon2Cost::MAX_PASSES), None);
}

#[test]
fn without_a_readable_hash_the_answer_is_no() {
    let pool = pool(CHEAP);
    assert_eq!(pool.verify(&password("geheim78"), None), Verdict::NO);
    for unreadable in [
        "",
        "geheim78",
        "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweQ",
        "$argon2id$v=19$m=64,t=1,p=1",
        "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    ] {
        let hash = PasswordHash::from_stored(unreadable.to_owned());
        assert_eq!(
            pool.verify(&password("geheim78"), Some(&hash)),
            Verdict::NO,
            "{unreadable}"
        );
    }
}

/// What is made at the largest cost is read again, without making one: that takes seconds.
#[test]
fn whatever_cost_can_be_set_can_be_read() {
    let (memory_kib, passes) = (Argon2Cost::MAX_MEMORY_KIB, Argon2Cost::MAX_PASSES);
    let reads = |memory_kib, passes, lanes| {
        let params = Params::new(memory_kib, passes, lanes, Some(OUTPUT_BYTES)).unwrap();
        let phc = phc::PasswordHash {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).unwrap(),
            salt: Some(Salt::new(&[7; SALT_BYTES]).unwrap()),
            hash: Some(Output::new(&[7; OUTPUT_BYTES]).unwrap()),
        };
        phc.to_string().parse::<Stored>().is_ok()
    };
    assert!(reads(memory_kib, passes, 1) && reads(memory_kib, passes, 64));
    assert!(!reads(memory_kib + 1, 1, 1) && !reads(8, passes + 1, 1));
}

#[test]
fn no_hash_is_made_that_could_not_be_read() {
    for cost in [
        Argon2Cost {
            memory_kib: Argon2Cost::MAX_MEMORY_KIB + 1,
            ..CHEAP
        },
        Argon2Cost {
            passes: Argon2Cost::MAX_PASSES + 1,
            ..CHEAP
        },
    ] {
        assert!(Argon2Pool::new(cost, 1, Arc::new(SystemEntropy)).is_err());
    }
}

#[test]
fn memory_is_used_again_and_no_more_of_it_kept_than_allowed() {
    let pool = pool(CHEAP);
    let (blocks, kept) = (64, || pool.free.lock().unwrap().len());
    let memories: Vec<_> = (0..5).map(|_| pool.take(blocks)).collect();
    memories.into_iter().for_each(|memory| pool.give_back(memory));
    assert_eq!(kept(), 2);
    pool.give_back(pool.take(2 * blocks));
    assert_eq!(
        kept(),
        1,
        "what was too small is gone, and another size isn't kept"
    );

    let last = || pool.free.lock().unwrap().last().unwrap().as_ptr();
    let before = last();
    pool.hash(&password("geheim78"));
    assert_eq!(last(), before);
}

#[test]
fn a_cost_that_argon2_does_not_take_is_refused() {
    let cost = Argon2Cost { passes: 0, ..CHEAP };
    assert!(Argon2Pool::new(cost, 1, Arc::new(SystemEntropy)).is_err());
}

#[test]
fn debug_shows_neither_salt_nor_hash() {
    let hash = pool(CHEAP).hash(&password("geheim78")).unwrap();
    assert_eq!(format!("{hash:?}"), "PasswordHash(argon2id v=19 m=64,t=1,p=1)");
}
