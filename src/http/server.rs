//! The servers: the API for the world, the operators' port, and the administrators'.

use std::{fmt, io, net::TcpListener, sync::Arc, time::Duration};

use actix_http::{HttpService, Request};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, map_config};
use actix_web::{
    App, Error,
    body::MessageBody,
    dev::{AppConfig, Response, Server, ServerHandle, Service, ServiceFactory},
    middleware::{Condition, from_fn},
    rt, web,
};

use socket2::SockRef;

use crate::http::{
    admin::{console, guard as admin},
    api::Api,
    kit::{
        connection::{PARSER_WAITS, Patience, idle::Serving},
        cors::{Preflight, preflight, share},
        document::Document,
        observe::{begin_at_zero, observe},
        patterns::Lengths,
        routes::not_found,
    },
    ops::guard::guard,
    options::ServerOptions,
    routes,
};

/// What is made ready for a client before it reads.
const WRITE_BUFFER_BYTES: usize = 16 * 1024;
/// What the kernel holds for a client that doesn't read, before the service notices. The kernel doubles it.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

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
    let shares = options.cors_localhost || !options.cors_origins.is_empty();
    let api = web::Data::from(api);
    let routes = Arc::new(routes::api(options.docs, options.start_page));
    begin_at_zero(&routes);
    let lengths = Lengths {
        otp: api.flows.codes.challenges.rules.length,
        password: api.password_rules.min_length(),
        phone_check: api.phone_check,
    };
    let document = web::Data::new(Document::of(&routes, lengths));
    let allowed = web::Data::new(Preflight::of(&routes));
    let app = move || {
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
    };
    let bounds = Bounds {
        workers: options.workers,
        connections: options.max_connections,
        shutdown: options.shutdown_timeout,
        ..Bounds::of(options)
    };
    Ok(Listening::run(listen(listener, bounds, app)?))
}

/// Serves the administrators' port, on one thread.
///
/// # Errors
/// As for [`serve_api`].
pub fn serve_admin(options: &ServerOptions, listener: TcpListener, api: Arc<Api>) -> io::Result<Listening> {
    let lengths = Lengths {
        otp: api.flows.codes.challenges.rules.length,
        password: api.password_rules.min_length(),
        phone_check: api.phone_check,
    };
    let (api, routes) = (web::Data::from(api), Arc::new(routes::admin()));
    let turns = web::Data::new(console::Turns::default());
    begin_at_zero(&routes);
    let document = web::Data::new(Document::of(&routes, lengths));
    let app = move || {
        App::new()
            .app_data(api.clone())
            .app_data(document.clone())
            .app_data(turns.clone())
            .wrap(from_fn(console::frame))
            .wrap(from_fn(admin::guard))
            .wrap(from_fn(observe))
            .configure(|config| routes.configure(config))
            .default_service(web::to(not_found))
    };
    Ok(Listening::run(listen(listener, Bounds::of(options), app)?))
}

/// Serves the operators' port, on one thread.
///
/// # Errors
/// As for [`serve_api`].
pub fn serve_ops(options: &ServerOptions, listener: TcpListener, api: Arc<Api>) -> io::Result<Listening> {
    let (api, routes) = (web::Data::from(api), Arc::new(routes::ops()));
    begin_at_zero(&routes);
    let app = move || {
        App::new()
            .app_data(api.clone())
            .wrap(from_fn(guard))
            .wrap(from_fn(observe))
            .configure(|config| routes.configure(config))
            .default_service(web::to(not_found))
    };
    Ok(Listening::run(listen(listener, Bounds::of(options), app)?))
}

/// What a listener takes.
#[derive(Clone, Copy)]
struct Bounds {
    workers: usize,
    /// Open at a time, for each worker.
    connections: usize,
    /// For what is in flight at the end.
    shutdown: Duration,
    keep_alive: Duration,
    /// For the head of a request.
    head: Duration,
    patience: Patience,
}

impl Bounds {
    /// Those of a listener for few.
    fn of(options: &ServerOptions) -> Self {
        Self {
            workers: 1,
            connections: 64,
            shutdown: Duration::from_secs(1),
            keep_alive: options.keep_alive,
            head: options.request_timeout,
            patience: Patience {
                // A little more than a handler waits, so that its answer comes first.
                body: options.request_timeout + Duration::from_secs(1),
                write: options.write_timeout,
            },
        }
    }
}

/// What `HttpServer` of actix-web does, on connections with bounds of their own.
fn listen<F, I, S, B>(listener: TcpListener, bounds: Bounds, app: F) -> io::Result<Server>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    // Connections have what their listener has.
    SockRef::from(&listener).set_send_buffer_size(SEND_BUFFER_BYTES)?;
    let builder = Server::build();
    let ending = builder.graceful_shutdown_signal();
    let service = move || {
        let ending = ending.clone();
        let app = app()
            .into_factory()
            .map_err(|error| error.into().error_response());
        let ending = move || {
            let ending = ending.clone();
            async move { ending.notified().await }
        };
        let parser = HttpService::build()
            .graceful_shutdown_signal(ending.clone())
            .keep_alive(bounds.keep_alive.min(PARSER_WAITS))
            .client_request_timeout(bounds.head)
            .client_disconnect_timeout(Duration::from_secs(1))
            // Whoever ends its side of the connection has hung up: nothing more is done for it.
            .h1_allow_half_closed(false)
            .h1_write_buffer_size(WRITE_BUFFER_BYTES)
            .finish(map_config(app, |()| AppConfig::default()));
        Serving {
            parser,
            patience: bounds.patience,
            keep_alive: bounds.keep_alive,
            ending,
        }
    };
    let server = builder
        .workers(bounds.workers)
        .max_concurrent_connections(bounds.connections)
        .shutdown_timeout(bounds.shutdown.as_secs())
        .disable_signals()
        .listen("http", listener, service)?;
    Ok(server.run())
}
