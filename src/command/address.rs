//! Where a server is, and the addresses of what is asked of it.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The server that a command speaks to.
#[derive(clap::Args)]
pub struct At {
    /// The server. The address of its sync door (ws://…/sync) is understood too
    #[arg(
        long = "server",
        value_name = "URL",
        default_value = "http://127.0.0.1:4000",
        env = "ROUNDTABLE_SERVER"
    )]
    pub server: Address,
}

/// The address of a server, as `http://host:port` and perhaps a path that a proxy has put before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
    /// Host and port as the `Host` header has them.
    authority: String,
    /// Empty, or with a slash at its beginning and none at its end.
    prefix: String,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
        let path = uri.path();
        let path = match uri.scheme_str() {
            Some("http") => path,
            // The sync door is at /sync, and at / as well.
            Some("ws") => path.trim_end_matches('/').strip_suffix("/sync").unwrap_or(path),
            Some("https" | "wss") => return Err("it is reached by http:// only, this command knows no TLS".into()),
            _ => return Err("it begins with http://, as in http://127.0.0.1:4000".into()),
        };
        if uri.query().is_some() {
            return Err("it has no query".into());
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or("it names no host")?;
        let port = uri.port_u16().unwrap_or(80);
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port,
            authority: format!("{host}:{port}"),
            prefix: path.trim_end_matches('/').to_owned(),
        })
    }
}

impl Address {
    /// What is connected to.
    pub fn host(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The target of a request for this path of the server.
    pub fn target(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.prefix)
    }
}

/// All but what stands for itself everywhere in an address.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as one segment of a path or one value of a query: `crm/contacts` is `crm%2Fcontacts`.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// The path of a table: by its id, its `automerge:` address or `base/name`.
pub fn table(named: &str, what: &str) -> String {
    format!("/v1/tables/{}/{what}", encoded(named))
}

/// A path with those fields of a query that are given.
pub fn query(path: String, fields: &[(&str, Option<&str>)]) -> String {
    let given = fields.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let mut address = path;
    for (n, (name, value)) in given.enumerate() {
        address.push(if n == 0 { '?' } else { '&' });
        address.push_str(&format!("{name}={}", encoded(value)));
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_by_its_address_or_that_of_its_sync_door() {
        let printed = |text: &str| text.parse::<Address>().map(|address| address.to_string());
        for (text, means) in [
            ("http://127.0.0.1:4000", "http://127.0.0.1:4000"),
            ("http://127.0.0.1:4000/", "http://127.0.0.1:4000"),
            ("ws://127.0.0.1:4000/sync", "http://127.0.0.1:4000"),
            ("ws://127.0.0.1:4000/", "http://127.0.0.1:4000"),
            ("ws://tables.example/team/sync/", "http://tables.example:80/team"),
            ("http://[::1]:4000/team/", "http://[::1]:4000/team"),
        ] {
            assert_eq!(printed(text).as_deref(), Ok(means), "{text}");
        }
        let local: Address = "http://[::1]:4000/team".parse().unwrap();
        assert_eq!((local.host(), local.authority()), (("::1", 4000), "[::1]:4000"));
        assert_eq!(local.target("/v1/imports"), "/team/v1/imports");
        for text in [
            "127.0.0.1:4000",
            "https://tables.example",
            "ftp://a",
            "http://a/?b",
            "/",
            "",
        ] {
            assert!(printed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_stand_in_an_address_as_one_part() {
        assert_eq!(
            table("crm/Größe & Co.", "export"),
            "/v1/tables/crm%2FGr%C3%B6%C3%9Fe%20%26%20Co./export"
        );
        let path = query(
            "/v1/imports".into(),
            &[("title", Some("a b")), ("base", None), ("name", Some("1=2"))],
        );
        assert_eq!(path, "/v1/imports?title=a%20b&name=1%3D2");
        assert_eq!(query("/v1/imports".into(), &[("base", None)]), "/v1/imports");
    }
}
