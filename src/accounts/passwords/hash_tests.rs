//! Tests of `hash.rs`.

use super::*;
use crate::entropy::SystemEntropy;

/// Made by Django 5.2, Python's bcrypt 5.0, argon2-cffi 25.1 and hashlib, at costs that take no time.
const VECTORS: [(&str, &str); 18] = [
    (
        "quiet-otter-47",
        "pbkdf2_sha1$1200$6sAyZOaXm0vdtg7DV7qcoW$KO/M2njdr4OhoyOVoFtw0KUGwJA=",
    ),
    (
        "quiet-otter-47",
        "pbkdf2_sha256$1200$DmHjPr81LJjdRGHlIrXm2B$Q04gvqr2w3+FSPosiRb/HTs1RBNs8MBl/srUcShq+9g=",
    ),
    (
        "quiet-otter-47",
        "argon2$argon2id$v=19$m=64,t=1,p=2$VXEyVElUelQ4ZEZ3dFFCenZPcjhiSQ$4mbdHNEo9NADe0m6pPdZBviWkZJ8h4ELTGK09mfyM8E",
    ),
    (
        "quiet-otter-47",
        "bcrypt_sha256$$2b$04$d/.X2zQdYm9JRtYRrVHlvuS5fWetwfWVKgFZ1qi/pd.eZonKi3dX.",
    ),
    (
        "quiet-otter-47",
        "bcrypt$$2b$04$oiwaOPIWSU2nFyE35SA4YucQB/pMsPNxdSD2YlnTQ08D1tTpxYFyG",
    ),
    (
        "quiet-otter-47",
        "scrypt$16$tF6ldX7u3zJGZWPTf41NaO$8$2$Z2jJnRn3nhfhAuMN5Wb3LVuF0/9dAoT41065biIfOggLahVTnU3/GFEPpNShQnGMdVjreWzTTVc5Ion6I8T6+A==",
    ),
    (
        "pässwörd ﬁne²",
        "pbkdf2_sha256$1200$6sAyZOaXm0vdtg7DV7qcoW$wWJ+cwUExiFZd9p9n2U7YWdnWkM6h71+BxmbMp1AOtY=",
    ),
    (
        "pässwörd ﬁne²",
        "argon2$argon2id$v=19$m=64,t=1,p=2$Sm9CbmV5WWxqOU5FQU1qeklZM3djZg$Gh89kTekkHihL09NsSBWu9tzSyclwfNLR8afLMAokT0",
    ),
    (
        "pässwörd ﬁne²",
        "bcrypt_sha256$$2b$04$wybFLzZV2fTI8b6hOJ4R.uM6d5ktTYnM/Ri/OlB6UQU/DFNt0RwT.",
    ),
    (
        "pässwörd ﬁne²",
        "bcrypt$$2b$04$PDKSg5XGVHOuvafpXTAthOZC.3toG2/ROVgsxSBH/iuLRzh0u93JW",
    ),
    (
        "pässwörd ﬁne²",
        "scrypt$16$NxVySBPX1tUoG9JCq55Ij4$8$2$JOxVmme1rNZlpehyvpzm20qq00lC4s2FVmzoRubsxDo00qlosBRORTsnk4RSnEK0A87aTbz8rMQ2w9XTi5Ymng==",
    ),
    (
        "quiet-otter-47",
        "$2a$04$lBIhLXfS6qirizUkTTE8rea.qpVBAIJ2PpeMXSONuNM3F2O9oXD/u",
    ),
    (
        "quiet-otter-47",
        "$2b$04$yNq.NRabvbWm1g13yLbvQeM3w22Do3nqxHnXiHvebI.t1n8GYrjgG",
    ),
    (
        "quiet-otter-47",
        "$2y$04$elMrLe5hNOammzQEghoWBu8BKPnJsFieAukbq15q/vU2PtBSENOwS",
    ),
    (
        "01234567890123456789012345678901234567890123456789012345678901234567890123456789",
        "$2b$04$Z32VlA9sv7TaEecJe4TU4.Fp8Ou6ZcK6togty00wVije6mZHSw9su",
    ),
    (
        "quiet-otter-47",
        "$scrypt$ln=4,r=8,p=2$c29tZS1zYWx0LW9mLTE2Yg$HnlLSPi31xXPuNSsaInmjxdhjKYo+uzjxBF6uoOAt8E",
    ),
    (
        "quiet-otter-47",
        "$argon2i$v=19$m=128,t=1,p=1$KIrXBdtedH0yOpoN8kpivw$9HfEC1ycnp4hQ/CoPHyG4fiH2wQUqq7JriP4yfGbwSA",
    ),
    (
        "quiet-otter-47",
        "$argon2id$v=19$m=64,t=2,p=1$+Ge9Oz92duGhwpoXNxh8uw$oFsca+SDae0Jxv1JdOqjfg",
    ),
];

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

/// Who guesses must not learn that somebody is there, nor whose hash was made by whom: counted, as no clock could.
#[test]
fn whoever_fails_has_cost_the_same_work() {
    let pool = pool(CHEAP);
    let own = pool.hash(&password("geheim78")).unwrap();
    let others = VECTORS.map(|(_, hash)| PasswordHash::from_stored(hash.to_owned()));
    let held: Vec<_> = others.iter().map(|hash| hash.cost().unwrap()).collect();
    pool.dearest().set(&held);
    let work = |hash: Option<&PasswordHash>| {
        pool.done.lock().unwrap().clear();
        assert_eq!(pool.verify(&password("wrong"), hash), Verdict::NO);
        let done = pool.done.lock().unwrap().clone();
        let sum = |fits: fn(&HashCost) -> bool| {
            done.iter()
                .filter(|cost| fits(cost))
                .map(|cost| cost.work())
                .sum()
        };
        let sums: [u64; 5] = [
            sum(|cost| matches!(cost, HashCost::Argon2(_))),
            sum(|cost| matches!(cost, HashCost::Pbkdf2(_))),
            sum(|cost| matches!(cost, HashCost::Pbkdf2Sha1(_))),
            sum(|cost| matches!(cost, HashCost::Bcrypt(_))),
            sum(|cost| matches!(cost, HashCost::Scrypt(_))),
        ];
        sums
    };
    let nobody = work(None);
    assert!(nobody.iter().all(|&work| work > 0), "{nobody:?}");
    assert_eq!(work(Some(&own)), nobody);
    assert_eq!(
        work(Some(&PasswordHash::from_stored("unreadable".to_owned()))),
        nobody
    );
    for hash in &others {
        assert_eq!(work(Some(hash)), nobody, "{hash:?}");
    }
}

#[test]
fn a_right_password_costs_its_own_hash_alone() {
    let pool = pool(CHEAP);
    pool.dearest()
        .set(&[HashCost::Pbkdf2(1_000), HashCost::Bcrypt(4)]);
    for (text, hash) in VECTORS {
        let hash = PasswordHash::from_stored(hash.to_owned());
        pool.done.lock().unwrap().clear();
        assert!(pool.verify(&password(text), Some(&hash)).matches);
        assert_eq!(*pool.done.lock().unwrap(), [hash.cost().unwrap()]);
    }
}

/// Where the count at the start knew of none yet.
#[test]
fn a_dearer_hash_that_is_met_raises_what_all_others_cost() {
    let pool = pool(CHEAP);
    let foreign = PasswordHash::from_stored(VECTORS[0].1.to_owned());
    assert!(pool.verify(&password(VECTORS[0].0), Some(&foreign)).matches);
    pool.done.lock().unwrap().clear();
    assert_eq!(pool.verify(&password("wrong"), None), Verdict::NO);
    let done = pool.done.lock().unwrap().clone();
    assert!(done.contains(&foreign.cost().unwrap()), "{done:?}");
}

#[test]
fn hashes_of_other_systems_match_the_password_as_it_was_typed_and_are_made_anew() {
    let pool = pool(CHEAP);
    for (text, hash) in VECTORS {
        let hash = PasswordHash::take_over(hash.to_owned()).unwrap();
        let verdict = pool.verify(&password(text), Some(&hash));
        assert!(verdict.matches && verdict.needs_rehash, "{hash:?}");
        for wrong in ["quiet-otter-48", "", "quiet-otter-47 "] {
            assert_eq!(
                pool.verify(&password(wrong), Some(&hash)),
                Verdict::NO,
                "{hash:?}"
            );
        }
    }
    // In another spelling it is another password for them, as it was where they were made.
    let composed = PasswordHash::from_stored(VECTORS[5].1.to_owned());
    assert!(!pool.verify(&password("pässwörd fine2"), Some(&composed)).matches);
}

#[test]
fn what_is_no_hash_or_would_take_the_machine_is_not_taken_over() {
    let django = VECTORS[0].1;
    let refused = |text: &str| PasswordHash::take_over(text.to_owned()).unwrap_err();
    for (text, error) in [
        ("", HashError::Kind),
        ("quiet-otter-47", HashError::Kind),
        ("!LnLdgz01pzfkQMqtfr7yDH2ZrLOxDyazeyVC54x0", HashError::Kind),
        ("md5$salt$d41d8cd98f00b204e9800998ecf8427e", HashError::Kind),
        ("pbkdf2_sha512$1000$salt$aGFzaGhhc2hoYXNo", HashError::Kind),
        ("$1$salt$qJH7.N4xYta3aEG/dfqo/0", HashError::Kind),
        (
            "$2x$04$LVtlyUG1C7ilFpZhPj/5u.iL.gcir6xw8z.HgjAwcb262XRMfSHWe",
            HashError::Kind,
        ),
        (
            "$argon2id$v=16$m=64,t=1,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNo",
            HashError::Kind,
        ),
        ("pbkdf2_sha256$1000$salt", HashError::Form),
        ("pbkdf2_sha256$1000$salt$!", HashError::Form),
        ("pbkdf2_sha256$-1$salt$aGFzaGhhc2hoYXNo", HashError::Form),
        ("pbkdf2_sha256$1000$salt$aGFzaA==", HashError::Form),
        ("pbkdf2_sha256$1000$$aGFzaGhhc2hoYXNo", HashError::Form),
        ("scrypt$15$salt$8$1$aGFzaGhhc2hoYXNo", HashError::Form),
        (
            "$2b$4$LVtlyUG1C7ilFpZhPj/5u.iL.gcir6xw8z.HgjAwcb262XRMfSHWe",
            HashError::Form,
        ),
        (
            "bcrypt$2b$04$LVtlyUG1C7ilFpZhPj/5u.iL.gcir6xw8z.HgjAwcb262XRMfSHWe",
            HashError::Form,
        ),
        (
            "$argon2id$v=19$m=64,t=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNo",
            HashError::Form,
        ),
        ("pbkdf2_sha256$100000000$salt$aGFzaGhhc2hoYXNo", HashError::Cost),
        ("pbkdf2_sha256$99999999999$salt$aGFzaGhhc2hoYXNo", HashError::Cost),
        ("pbkdf2_sha256$0$salt$aGFzaGhhc2hoYXNo", HashError::Cost),
        (
            "$2b$31$LVtlyUG1C7ilFpZhPj/5u.iL.gcir6xw8z.HgjAwcb262XRMfSHWe",
            HashError::Cost,
        ),
        ("scrypt$1048576$salt$8$1$aGFzaGhhc2hoYXNo", HashError::Cost),
        (
            "$scrypt$ln=14,r=8,p=4294967295$c2FsdA$aGFzaGhhc2hoYXNo",
            HashError::Cost,
        ),
        (
            "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNo",
            HashError::Cost,
        ),
        (
            "argon2$argon2id$v=19$m=1024,t=17,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNo",
            HashError::Cost,
        ),
    ] {
        assert_eq!(refused(text), error, "{text}");
    }
    assert_eq!(refused(&django.repeat(9)), HashError::Form);
    // No hash of it is computed: the answer is the one to a wrong password.
    let pool = pool(CHEAP);
    let absurd =
        PasswordHash::from_stored("$2b$31$LVtlyUG1C7ilFpZhPj/5u.iL.gcir6xw8z.HgjAwcb262XRMfSHWe".to_owned());
    assert_eq!(pool.verify(&password("x"), Some(&absurd)), Verdict::NO);
    assert_eq!(*pool.done.lock().unwrap(), [HashCost::Argon2(CHEAP)]);
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
        let text = format!(
            "$argon2id$v=19$m={memory_kib},t={passes},p={lanes}$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8"
        );
        PasswordHash::take_over(text).is_ok()
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
    assert_eq!(format!("{hash:?}"), "PasswordHash(argon2 64 1 1)");
}
