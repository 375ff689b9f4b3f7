//! The routes: both ways to the sync door, the live door, the page, and what operators look at.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Redirect, Response};
use axum::routing::get;
use serde_json::json;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::lifeline::Lifeline;
use super::meter::Socket;
use super::rest::{self, Code, Problem};
use super::{Server, assets, connection, live};
use crate::room::inbox::Close;

/// The buffers of one socket, in bytes: the default of 128 KiB each would be most of what a connection costs.
const SOCKET_BUFFER_BYTES: usize = 4 << 10;

pub(super) fn routes(server: Arc<Server>) -> Router {
    Router::new()
        .route("/", get(root))
        .route("/sync", get(sync))
        .route("/live", get(live))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/v1/welcome", get(welcome))
        .merge(api(&server))
        .fallback(get(asset))
        .with_state(server)
}

/// REST, for pages of the origins that may connect: others can neither read answers nor have anything written.
fn api(server: &Arc<Server>) -> Router<Arc<Server>> {
    let allowed = server.config.origins.clone();
    let is_allowed = move |_: &HeaderValue, request: &Parts| check_origin(&request.headers, &allowed).is_ok();
    let shared = CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(is_allowed))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::ETAG, header::LOCATION, rest::REPLAYED]);
    rest::routes()
        .method_not_allowed_fallback(not_allowed)
        .layer(middleware::from_fn_with_state(server.clone(), only_own_origins))
        .layer(shared)
}

async fn not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::new(
        Code::MethodNotAllowed,
        format!("{method} is nothing that {} takes", uri.path()),
    )
}

/// A browser sends simple requests of any page without asking first: what would write is refused by its origin.
async fn only_own_origins(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    match check_origin(request.headers(), &server.config.origins) {
        Err(origin) if !request.method().is_safe() => {
            let why = format!("the origin {origin} may not write; the server's setting `origins` names those that may");
            Problem::new(Code::ForeignOrigin, why).into_response()
        }
        _ => next.run(request).await,
    }
}

/// The page, or the sync door where the request asks for an upgrade.
async fn root(
    server: State<Arc<Server>>,
    socket: ConnectInfo<Socket>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    match upgrade {
        Err(_) if !headers.contains_key(header::UPGRADE) => asset(server, Uri::from_static("/"), headers).await,
        upgrade => sync(server, socket, headers, upgrade).await,
    }
}

async fn sync(
    State(server): State<Arc<Server>>,
    ConnectInfo(socket): ConnectInfo<Socket>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let bytes = server.config.sync.message_bytes;
    admit(server, socket, &headers, upgrade, bytes, connection::serve)
}

/// The live door, or the page that shows it where the request asks for no upgrade.
async fn live(
    State(server): State<Arc<Server>>,
    ConnectInfo(socket): ConnectInfo<Socket>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if upgrade.is_err() && !headers.contains_key(header::UPGRADE) && server.config.demo {
        // The query names the table.
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        return Redirect::permanent(&format!("/live/{query}")).into_response();
    }
    let bytes = server.config.live.message_bytes;
    admit(server, socket, &headers, upgrade, bytes, live::serve)
}

/// Lets a socket in by one of the doors.
fn admit<Serving: Future<Output = ()> + Send + 'static>(
    server: Arc<Server>,
    socket: Socket,
    headers: &HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    message_bytes: usize,
    serve: impl FnOnce(Arc<Server>, WebSocket, Arc<Lifeline>) -> Serving + Send + 'static,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    if let Err(origin) = check_origin(headers, &server.config.origins) {
        tracing::warn!(address = %socket.address, %origin, "an origin that is not allowed");
        let why = format!("the origin {origin} may not connect; the server's setting `origins` names those that may\n");
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    upgrade
        .read_buffer_size(SOCKET_BUFFER_BYTES)
        .write_buffer_size(SOCKET_BUFFER_BYTES)
        // One frame is written at a time, and a frame may be a whole document.
        .max_write_buffer_size(server.config.sync.message_bytes.saturating_mul(4))
        .max_message_size(message_bytes)
        .max_frame_size(message_bytes)
        .on_upgrade(async move |mut websocket| match server.connected(socket.meter) {
            Some(lifeline) => serve(server, websocket, lifeline).await,
            // Not an HTTP error: some clients crash on one.
            None => {
                let why = Close::TryLater;
                let frame = CloseFrame {
                    code: why.code(),
                    reason: why.reason().into(),
                };
                let _ = websocket.send(Message::Close(Some(frame))).await;
            }
        })
}

/// Pages of other sites must not use the server in the name of who looks at them. No origin is not a page.
fn check_origin(headers: &HeaderMap, allowed: &[String]) -> Result<(), String> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let text = String::from_utf8_lossy(origin.as_bytes()).into_owned();
    let own = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = text
        .split_once("://")
        .map(|(_, rest)| rest.split('/').next().unwrap_or(rest));
    let Some(authority) = authority else { return Err(text) };
    let is_own = own.is_some_and(|own| own.eq_ignore_ascii_case(authority));
    match is_own || is_loopback(authority) || allowed.iter().any(|allowed| allowed.trim_end_matches('/') == text) {
        true => Ok(()),
        false => Err(text),
    }
}

fn is_loopback(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<axum::http::uri::Authority>() else {
        return false;
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

async fn readyz(State(server): State<Arc<Server>>) -> Response {
    match server.is_ready() {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

async fn metrics(State(server): State<Arc<Server>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], server.metrics_page()).into_response()
}

/// The sample table.
async fn welcome(State(server): State<Arc<Server>>) -> Response {
    match server.welcome.get() {
        Some(document) => Json(json!({ "document": document.url() })).into_response(),
        None => Problem::new(Code::NotFound, "this server has no sample table").into_response(),
    }
}

async fn asset(State(server): State<Arc<Server>>, uri: Uri, headers: HeaderMap) -> Response {
    if uri.path() == "/v1" || uri.path().starts_with("/v1/") {
        return Problem::new(Code::NotFound, format!("nothing is at {}", uri.path())).into_response();
    }
    match server.config.demo || assets::is_about_api(uri.path()) {
        true => assets::respond(uri.path(), &headers),
        false => Problem::new(Code::NotFound, format!("nothing is at {}", uri.path())).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: &str, host: &str) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        headers.insert(header::HOST, host.parse().unwrap());
        check_origin(&headers, &["https://app.example.org".into()])
    }

    #[test]
    fn the_own_host_loopback_and_named_origins_may_connect() {
        assert_eq!(check_origin(&HeaderMap::new(), &[]), Ok(()));
        assert_eq!(from("https://tables.example.org", "tables.example.org"), Ok(()));
        assert_eq!(from("http://localhost:5173", "tables.example.org"), Ok(()));
        assert_eq!(from("http://[::1]:5173", "tables.example.org"), Ok(()));
        assert_eq!(from("https://app.example.org", "tables.example.org"), Ok(()));
    }

    #[test]
    fn other_sites_may_not() {
        for origin in [
            "https://evil.example",
            "null",
            "http://localhost.evil.example",
            "https://tables.example.org.evil.example",
        ] {
            assert_eq!(from(origin, "tables.example.org"), Err(origin.to_owned()));
        }
    }
}
