//! The demo pages and the API page, out of the binary: made by `make web`, embedded when the server is built.
//!
//! Browsers say that they take brotli only over https and on this machine; the gzip beside it is for everybody else.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

#[derive(rust_embed::Embed)]
#[folder = "web-demo/dist/"]
#[allow_missing = true]
struct Bundle;

const NOT_BUILT: &str = "The page was not built into this server: run `make web`, then build the server again.\n\
    The sync door at /sync works all the same.\n";

/// The page runs its own scripts and WebAssembly, and talks to where it came from.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self' ws: wss:";

/// A file of the bundle as bytes, if the page was built.
pub fn file(path: &str) -> Option<Vec<u8>> {
    Bundle::get(path).map(|file| file.data.into_owned())
}

/// What the build lays beside a file: the name of the encoding and the ending of the file, the smallest first.
const PACKED: [(&str, &str); 2] = [("br", "br"), ("gzip", "gz")];

/// Whether a path belongs to the page about the API, which is served without the demo too.
pub(super) fn is_about_api(path: &str) -> bool {
    path == "/docs" || path.starts_with("/docs/")
}

/// Answers a GET for a page or one of its files.
pub(super) fn respond(path: &str, headers: &HeaderMap) -> Response {
    let path = name(path);
    let packed = PACKED
        .iter()
        .filter(|(encoding, _)| takes(headers, encoding))
        .find_map(|(encoding, ending)| Some((Some(*encoding), Bundle::get(&format!("{path}.{ending}"))?)));
    let Some((encoding, file)) = packed.or_else(|| Some((None, Bundle::get(path)?))) else {
        return match path {
            "index.html" | "docs/index.html" | "live/index.html" => (StatusCode::NOT_FOUND, NOT_BUILT).into_response(),
            _ => (StatusCode::NOT_FOUND, format!("nothing is at /{path}\n")).into_response(),
        };
    };
    let etag = format!("\"{}\"", hex(&file.metadata.sha256_hash()[..16]));
    // Files under assets/ carry a hash of their content in their name.
    let caching = if path.starts_with("assets/") || path.starts_with("docs/assets/") {
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
    if let Some(encoding) = encoding {
        response = response.header(header::CONTENT_ENCODING, encoding);
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

/// The file of the bundle that a path means.
fn name(path: &str) -> &str {
    match path.trim_start_matches('/') {
        "" => "index.html",
        "docs" | "docs/" => "docs/index.html",
        "live" | "live/" => "live/index.html",
        path => path,
    }
}

/// Whether the client takes an encoding; `q=0` is how it says no.
fn takes(headers: &HeaderMap, encoding: &str) -> bool {
    let offered = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|offered| offered.to_str().ok());
    offered.unwrap_or_default().split(',').any(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        let is_it = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
        is_it && weight != Some(0.0)
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_have_short_paths() {
        assert_eq!(name("/"), "index.html");
        assert_eq!(name("/docs"), "docs/index.html");
        assert_eq!(name("/docs/"), "docs/index.html");
        assert_eq!(name("/live"), "live/index.html");
        assert_eq!(name("/live/"), "live/index.html");
        assert_eq!(name("/assets/main.js"), "assets/main.js");
        assert!(is_about_api("/docs") && is_about_api("/docs/assets/swagger-ui.css"));
        assert!(!is_about_api("/") && !is_about_api("/docsx"));
    }

    #[test]
    fn a_client_says_which_encodings_it_takes() {
        let takes = |offered: &str, encoding: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, offered.parse().unwrap());
            takes(&headers, encoding)
        };
        assert!(takes("gzip, deflate, br", "br"));
        assert!(takes("br;q=0.5, GZIP", "gzip"));
        assert!(!takes("gzip, deflate", "br"));
        assert!(!takes("gzip, br; q=0", "br"));
        assert!(!takes("brotli", "br"));
        assert!(!super::takes(&HeaderMap::new(), "gzip"));
    }
}
