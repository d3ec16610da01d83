//! The two servers: the API for the world, and the operators' port.

use std::{io, net::TcpListener, sync::Arc};

use actix_web::{
    App, HttpServer,
    dev::{Server, ServerHandle},
    middleware::{Condition, from_fn},
    rt, web,
};

use crate::http::{
    api::Api,
    kit::{
        cors::{Preflight, preflight, share},
        document::Document,
        observe::observe,
        routes::not_found,
    },
    ops::guard::guard,
    options::ServerOptions,
    routes,
};

/// A server that listens, until it is stopped.
pub struct Listening(ServerHandle);

impl Listening {
    /// Ends it: no new connection, what is in flight finished within the time that it was given at its start.
    pub async fn stop(&self) {
        self.0.stop(true).await;
    }

    fn run(server: Server) -> Self {
        let handle = server.handle();
        rt::spawn(server);
        Self(handle)
    }
}

/// Serves the API, on a worker for each core.
///
/// # Errors
/// When the workers can't be started.
pub fn serve_api(options: &ServerOptions, listener: TcpListener, api: Arc<Api>) -> io::Result<Listening> {
    let (api, shares) = (web::Data::from(api), !options.cors_origins.is_empty());
    let routes = Arc::new(routes::api());
    let document = web::Data::new(Document::of(&routes));
    let allowed = web::Data::new(Preflight::of(&routes));
    let server = HttpServer::new(move || {
        // This runs once on each worker: its share of the rate limits is counted on its thread, and its lane to Redis is
        // open before the first request needs it.
        let challenges = Arc::clone(&api.flows.codes.challenges.store);
        api.flows.codes.limiter.settle_here();
        rt::spawn(async move { drop(challenges.ping().await) });
        App::new()
            .app_data(api.clone())
            .app_data(document.clone())
            .app_data(allowed.clone())
            .wrap(Condition::new(shares, from_fn(preflight)))
            .wrap(from_fn(observe))
            // Outermost, so that no answer is without its headers.
            .wrap(Condition::new(shares, from_fn(share)))
            .configure(|config| routes.configure(config))
            .default_service(web::to(not_found))
    })
    .workers(options.workers)
    .max_connections(options.max_connections)
    .client_request_timeout(options.request_timeout)
    // Whoever ends his side of the connection has hung up: nothing more is done for him.
    .h1_allow_half_closed(false)
    .shutdown_timeout(options.shutdown_timeout.as_secs())
    .disable_signals()
    .listen(listener)?;
    Ok(Listening::run(server.run()))
}

/// Serves the operators' port, on one thread.
///
/// # Errors
/// As for [`serve_api`].
pub fn serve_ops(listener: TcpListener, api: Arc<Api>) -> io::Result<Listening> {
    let (api, routes) = (web::Data::from(api), Arc::new(routes::ops()));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(api.clone())
            .wrap(from_fn(guard))
            .wrap(from_fn(observe))
            .configure(|config| routes.configure(config))
            .default_service(web::to(not_found))
    })
    .workers(1)
    .max_connections(64)
    .shutdown_timeout(1)
    .disable_signals()
    .listen(listener)?;
    Ok(Listening::run(server.run()))
}
