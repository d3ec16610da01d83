//! What the suites share.

/// A variable that names a test server.
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("set {name}, or run scripts/test"))
}

/// Makes a test of each function for each store that can stand behind the contract.
macro_rules! on_every_store {
    ($(async fn $name:ident($world:ident) $body:block)*) => {
        mod suite {
            use super::*;
            $(pub async fn $name($world: World) $body)*
        }
        on_every_store!(@store memory $($name)*);
        on_every_store!(@store redis $($name)*);
        on_every_store!(@store cluster $($name)*);
        on_every_store!(@store sentinel $($name)*);
    };
    (@store $store:ident $($name:ident)*) => {
        mod $store {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $name() {
                    super::suite::$name(crate::world::$store().await).await;
                }
            )*
        }
    };
}
pub(crate) use on_every_store;
