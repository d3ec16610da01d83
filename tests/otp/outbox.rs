//! What the outbox promises, whatever keeps it.

use std::sync::Arc;

use ringback::{
    otp::{Slot, Verdict},
    sms::Lease,
};

use crate::{
    support::on_every_store,
    world::{RIGHT, World},
};

on_every_store! {
    async fn the_outbox_holds_an_entry_until_it_is_acknowledged(world) {
        let (_, entry) = world.issue(Slot::Public).await;
        assert_eq!(world.store.take_over(10).await.unwrap(), [], "leased to whoever issued it");
        world.pass(31);
        assert_eq!(world.store.take_over(10).await.unwrap(), std::slice::from_ref(&entry));
        assert_eq!(world.store.take_over(10).await.unwrap(), [], "leased again");
        assert_eq!(world.store.renew(&entry).await.unwrap(), Lease::Held);
        world.store.hand_back(&entry).await.unwrap();
        assert_eq!(world.store.take_over(10).await.unwrap(), std::slice::from_ref(&entry));
        world.store.acknowledge(&entry).await.unwrap();
        world.store.acknowledge(&entry).await.unwrap();
        world.pass(31);
        assert_eq!(world.store.take_over(10).await.unwrap(), []);
        assert_eq!(world.store.renew(&entry).await.unwrap(), Lease::Gone);
    }

    async fn an_overdue_entry_is_taken_over_by_one_alone(world) {
        world.issue(Slot::Public).await;
        world.pass(31);
        let takers = (0..20).map(|_| {
            let store = Arc::clone(&world.store);
            tokio::spawn(async move { store.take_over(10).await.unwrap().len() })
        });
        let taken: usize = futures_util::future::try_join_all(takers).await.unwrap().into_iter().sum();
        assert_eq!(taken, 1);
    }

    async fn what_is_replaced_used_or_expired_is_not_delivered(world) {
        let (_, replaced) = world.issue(Slot::Public).await;
        world.pass(60);
        let (_, used) = world.issue(Slot::Public).await;
        assert_eq!(world.store.renew(&replaced).await.unwrap(), Lease::Gone);
        assert!(matches!(world.judge(RIGHT).await, Verdict::Right(_)));
        assert_eq!(world.store.renew(&used).await.unwrap(), Lease::Gone);
        world.pass(60);
        let (_, expired) = world.issue(Slot::Public).await;
        world.pass(600);
        assert_eq!(world.store.renew(&expired).await.unwrap(), Lease::Gone);
        assert_eq!(world.store.take_over(10).await.unwrap(), []);
    }
}
