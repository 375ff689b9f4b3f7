//! The demo page, out of the binary: made by `make web`, embedded when the server is built.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

#[derive(rust_embed::Embed)]
#[folder = "web-demo/dist/"]
#[allow_missing = true]
struct Bundle;

const NOT_BUILT: &str = "The demo page was not built into this server: run `make web`, then build the server again.\n\
    The sync door at /sync works all the same.\n";

/// The page runs its own scripts and WebAssembly, and talks to where it came from.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self' ws: wss:";

/// A file of the bundle as bytes, if the page was built.
pub fn file(path: &str) -> Option<Vec<u8>> {
    Bundle::get(path).map(|file| file.data.into_owned())
}

/// Answers a GET for the page or one of its files.
pub(super) fn respond(path: &str, headers: &HeaderMap) -> Response {
    let path = match path.trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    let takes_brotli = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|encodings| encodings.to_str().ok())
        .is_some_and(|encodings| {
            encodings
                .split(',')
                .any(|encoding| encoding.trim().split(';').next() == Some("br"))
        });
    let packed = takes_brotli.then(|| Bundle::get(&format!("{path}.br"))).flatten();
    let is_packed = packed.is_some();
    let Some(file) = packed.or_else(|| Bundle::get(path)) else {
        return match path {
            "index.html" => (StatusCode::NOT_FOUND, NOT_BUILT).into_response(),
            _ => (StatusCode::NOT_FOUND, format!("nothing is at /{path}\n")).into_response(),
        };
    };
    let etag = format!("\"{}\"", hex(&file.metadata.sha256_hash()[..16]));
    // Files under assets/ carry a hash of their content in their name.
    let caching = if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let mut response = Response::builder()
        .header(header::CONTENT_TYPE, content_type(path))
        .header(header::CACHE_CONTROL, caching)
        .header(header::VARY, "Accept-Encoding")
        .header(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::ETAG, &etag);
    if is_packed {
        response = response.header(header::CONTENT_ENCODING, "br");
    }
    let unchanged = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == etag.as_bytes());
    let response = match unchanged {
        true => response.status(StatusCode::NOT_MODIFIED).body(Body::empty()),
        false => response.body(Body::from(file.data.into_owned())),
    };
    response.expect("the headers are well formed")
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "csv" => "text/csv; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
