//! Server-sent events: the data of each, out of bytes that arrive in any portions.

/// The longest event, in bytes; the server's have some hundred.
const LONGEST: usize = 1 << 20;

/// What has arrived of the next event.
#[derive(Default)]
pub struct Events {
    line: Vec<u8>,
    data: String,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event has more than {LONGEST} bytes")]
pub struct TooLong;

impl Events {
    /// Takes what has arrived; the data of the events that are complete with it, in order.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<String>, TooLong> {
        let mut complete = Vec::new();
        for &byte in bytes {
            if byte != b'\n' {
                if self.line.len() + self.data.len() >= LONGEST {
                    return Err(TooLong);
                }
                self.line.push(byte);
                continue;
            }
            let line = String::from_utf8_lossy(&self.line).into_owned();
            self.line.clear();
            complete.extend(self.end_line(line.trim_end_matches('\r')));
        }
        Ok(complete)
    }

    /// An empty line ends an event. Other fields than its data, and comments, are passed over.
    fn end_line(&mut self, line: &str) -> Option<String> {
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            return (!data.is_empty()).then_some(data);
        }
        if let Some(data) = line.strip_prefix("data:") {
            if !self.data.is_empty() {
                self.data.push('\n');
            }
            self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_however_their_bytes_are_cut() {
        let text =
            ": still here\n\nevent: progress\ndata: {\"done\":1}\n\ndata:two\r\ndata: lines\r\n\r\ndata: not yet";
        let whole = Events::default().take(text.as_bytes()).unwrap();
        assert_eq!(whole, ["{\"done\":1}", "two\nlines"]);
        for cut in 1..text.len() {
            let mut events = Events::default();
            let mut told = events.take(&text.as_bytes()[..cut]).unwrap();
            told.extend(events.take(&text.as_bytes()[cut..]).unwrap());
            assert_eq!(told, whole, "cut at {cut}");
        }
    }

    #[test]
    fn an_event_without_an_end_is_not_kept_for_ever() {
        let mut events = Events::default();
        let line = format!("data: {}\n", "x".repeat(1000));
        assert!((0..LONGEST).any(|_| events.take(line.as_bytes()) == Err(TooLong)));
        assert!(events.data.len() <= LONGEST);
    }
}
