//! Why a connection ended, and what a client does about it.

/// Why there is no connection, for the moment or for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LiveEnd {
    #[error("this client left")]
    Left,
    #[error("a newer connection of the same user and device has taken its place")]
    Replaced,
    #[error("the server does not let this client in: {0}")]
    Denied(String),
    #[error("the server closed the connection ({code}{})", reason_text(.reason))]
    Closed { code: u16, reason: String },
    #[error("the connection broke: {0}")]
    Broken(String),
}

fn reason_text(reason: &str) -> String {
    match reason.is_empty() {
        true => String::new(),
        false => format!(", {reason}"),
    }
}

impl LiveEnd {
    /// What a close of the server means; without a code, if there was none.
    pub(super) fn of_close(code: Option<u16>, reason: &str) -> Self {
        match code {
            Some(4409) => Self::Replaced,
            Some(code @ (4401 | 4403)) => Self::Denied(format!("{code}{}", reason_text(reason))),
            Some(code) => Self::Closed {
                code,
                reason: reason.to_owned(),
            },
            None => Self::Broken("the server closed it without a word".into()),
        }
    }

    /// Whether connecting again can do no good: the server has said what it would only say again, or sees a mistake in what
    /// this client sends and would see it again.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Left | Self::Replaced | Self::Denied(_) => true,
            // Not 4408: whoever sleeps with the lid closed wakes up to it.
            Self::Closed { code, .. } => matches!(code, 1002 | 1003 | 1007..=1010),
            Self::Broken(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_comes_back_unless_that_can_do_no_good() {
        for code in [1001, 1011, 1012, 1013, 4408, 4413, 4999] {
            assert!(!LiveEnd::of_close(Some(code), "").is_final(), "{code}");
        }
        for code in [1002, 1003, 1008, 1009, 4401, 4403, 4409] {
            assert!(LiveEnd::of_close(Some(code), "").is_final(), "{code}");
        }
        assert!(!LiveEnd::of_close(None, "").is_final());
        assert_eq!(LiveEnd::of_close(Some(4409), ""), LiveEnd::Replaced);
        let slow = LiveEnd::of_close(Some(4413), "too slow").to_string();
        assert_eq!(slow, "the server closed the connection (4413, too slow)");
        let denied = LiveEnd::of_close(Some(4401), "expired").to_string();
        assert!(denied.ends_with("4401, expired"), "{denied}");
    }
}
