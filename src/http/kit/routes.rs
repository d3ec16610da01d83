//! The table of routes. An entry says method, path, handler and documentation; from the table come the services of
//! actix-web, `Allow`, the methods of CORS, and the paths of the OpenAPI document.

use std::sync::Arc;

use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Responder, http::Method, web};

use crate::http::kit::{docs::Docs, problem::ApiError, rejection::Rejection};

/// Makes the service of a route; each worker has its own.
type Service = Box<dyn Fn() -> actix_web::Route + Send + Sync>;

/// What one method of one path does.
pub struct Route {
    method: Method,
    path: &'static str,
    service: Service,
    docs: Option<fn() -> Docs>,
}

impl Route {
    /// A route of this method, on the path as it stands in the documents.
    pub fn new<F, Args>(method: Method, path: &'static str, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        Self {
            method,
            path,
            service: Box::new(move || actix_web::Route::new().to(handler.clone())),
            docs: None,
        }
    }

    /// Shown in the OpenAPI document.
    pub fn documented(mut self, docs: fn() -> Docs) -> Self {
        self.docs = Some(docs);
        self
    }

    /// The path without a slash behind it: what stands in logs and metrics.
    fn pattern(&self) -> &'static str {
        match self.path.trim_end_matches('/') {
            "" => "/",
            pattern => pattern,
        }
    }
}

macro_rules! methods {
    ($($(#[$docs:meta])* $name:ident = $method:ident),*) => {
        $(
            $(#[$docs])*
            pub fn $name<F, Args>(path: &'static str, handler: F) -> Route
            where
                F: Handler<Args> + Send + Sync,
                Args: FromRequest + 'static,
                F::Output: Responder + 'static,
            {
                Route::new(Method::$method, path, handler)
            }
        )*
    };
}
methods! {
    /// Read by GET, and by HEAD.
    get = GET,
    post = POST,
    /// Changes a part.
    patch = PATCH,
    delete = DELETE
}

/// All routes of a listener.
pub struct Routes {
    resources: Vec<Vec<Route>>,
    /// Paths that most requests are for.
    frequent: &'static [&'static str],
}

impl Routes {
    pub fn new(routes: impl IntoIterator<Item = Route>) -> Self {
        let mut resources: Vec<Vec<Route>> = Vec::new();
        for route in routes {
            let same = resources
                .iter_mut()
                .find(|resource| resource[0].path == route.path);
            match same {
                Some(resource) => resource.push(route),
                None => resources.push(vec![route]),
            }
        }
        Self {
            resources,
            frequent: &[],
        }
    }

    /// Has these paths, which most requests are for, be looked at first.
    pub fn first(self, frequent: &'static [&'static str]) -> Self {
        Self { frequent, ..self }
    }

    /// Adds every route to a worker's services, with and without a slash behind its path.
    ///
    /// actix-web compares a request's path with one pattern after another, some 200 instructions each, and 1000 where a part of
    /// it varies.
    pub fn configure(&self, config: &mut web::ServiceConfig) {
        let mut resources: Vec<_> = self.resources.iter().collect();
        resources.sort_by_key(|resource| {
            let path = resource[0].path;
            (!self.frequent.contains(&path), path.contains('{'))
        });
        for resource in resources {
            for spelling in spellings(resource[0].pattern()) {
                config.service(service(spelling, resource));
            }
        }
    }

    /// Every method that some path takes, as CORS lists them.
    pub fn methods(&self) -> String {
        let mut methods: Vec<_> = self
            .resources
            .iter()
            .flat_map(|resource| taken(resource))
            .collect();
        methods.sort_unstable();
        methods.dedup();
        // A browser asks for no leave for HEAD.
        methods.retain(|&method| method != "HEAD");
        methods.join(", ")
    }

    /// Method and pattern of each route, as they stand in metrics.
    pub fn patterns(&self) -> impl Iterator<Item = (&Method, &'static str)> {
        self.resources
            .iter()
            .flatten()
            .map(|route| (&route.method, route.pattern()))
    }

    /// What is documented: method, path, and what stands there.
    pub fn documented(&self) -> impl Iterator<Item = (&Method, &'static str, Docs)> {
        self.resources
            .iter()
            .flatten()
            .filter_map(|route| Some((&route.method, route.path, route.docs?())))
    }
}

/// The pattern of the route that a request took: what stands in logs and metrics, in place of the path, which may hold
/// anything.
#[derive(Clone, Copy)]
struct Pattern(&'static str);

/// The pattern of the route that a request took; none if it took none.
pub fn pattern_of(request: &HttpRequest) -> Option<&'static str> {
    request.app_data::<Pattern>().map(|pattern| pattern.0)
}

/// Answers every path that has no route.
pub async fn not_found() -> Result<HttpResponse, ApiError> {
    Err(Rejection::NotFound.into())
}

/// Two services rather than actix-web's `NormalizePath`, which looks at each path by a regular expression and makes
/// another of it.
fn spellings(pattern: &str) -> Vec<String> {
    match pattern {
        "/" => vec![pattern.to_owned()],
        _ => vec![format!("{pattern}/"), pattern.to_owned()],
    }
}

fn service(path: String, routes: &[Route]) -> actix_web::Resource {
    let mut resource = web::resource(path).app_data(Pattern(routes[0].pattern()));
    for route in routes {
        resource = resource.route((route.service)().method(route.method.clone()));
        if route.method == Method::GET {
            resource = resource.route((route.service)().method(Method::HEAD));
        }
    }
    let allow: Arc<str> = taken(routes).join(", ").into();
    resource.default_service(web::to(move || {
        std::future::ready(Err::<HttpResponse, ApiError>(
            Rejection::MethodNotAllowed {
                allow: Arc::clone(&allow),
            }
            .into(),
        ))
    }))
}

/// The methods of a path, as `Allow` lists them.
fn taken(routes: &[Route]) -> Vec<&str> {
    let mut methods = Vec::new();
    for route in routes {
        methods.push(route.method.as_str());
        if route.method == Method::GET {
            methods.push("HEAD");
        }
    }
    methods
}

#[cfg(test)]
mod tests {
    use actix_web::{App, http::header, test as client};

    use super::*;
    use crate::http::kit::docs::Tag;

    fn table() -> Routes {
        let answer = |text: &'static str| move || std::future::ready(HttpResponse::Ok().body(text));
        let docs = || Docs::new("own", Tag::Accounts, "Own.");
        Routes::new([
            get("/own/", answer("read")).documented(docs),
            patch("/own/", answer("changed")).documented(docs),
            post("/made/{id}/", answer("made")),
            delete("/own/", answer("gone")).documented(docs),
        ])
        .first(&["/made/{id}/"])
    }

    #[actix_web::test]
    async fn several_methods_of_one_path_have_their_handlers_and_one_allow() {
        let routes = table();
        let app = client::init_service(App::new().configure(|config| routes.configure(config))).await;
        for (method, path, status, body) in [
            ("GET", "/own", 200, "read"),
            ("HEAD", "/own/", 200, "read"),
            ("PATCH", "/own/", 200, "changed"),
            ("DELETE", "/own", 200, "gone"),
            ("POST", "/made/7", 200, "made"),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let request = client::TestRequest::with_uri(path).method(method).to_request();
            let answer = client::call_service(&app, request).await;
            assert_eq!(answer.status(), status, "{path}");
            assert_eq!(client::read_body(answer).await, body, "{path}");
        }
        for (method, path, allow) in [
            (Method::POST, "/own/", "GET, HEAD, PATCH, DELETE"),
            (Method::OPTIONS, "/own", "GET, HEAD, PATCH, DELETE"),
            (Method::GET, "/made/7/", "POST"),
        ] {
            let request = client::TestRequest::with_uri(path).method(method).to_request();
            let answer = client::call_service(&app, request).await;
            assert_eq!(
                (answer.status().as_u16(), answer.headers().get(header::ALLOW)),
                (405, Some(&allow.parse().unwrap()))
            );
        }
    }

    #[test]
    fn the_table_tells_cors_and_the_documents_its_methods() {
        let routes = table();
        assert_eq!(routes.methods(), "DELETE, GET, PATCH, POST");
        let documented: Vec<_> = routes
            .documented()
            .map(|(method, path, _)| (method.as_str(), path))
            .collect();
        assert_eq!(
            documented,
            [("GET", "/own/"), ("PATCH", "/own/"), ("DELETE", "/own/")]
        );
    }
}
