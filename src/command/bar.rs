//! How far something is, drawn on standard error where that is a terminal, and nowhere else.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A line that says what is going on. Cleared when dropped, so that what is said next stands alone.
pub struct Bar(ProgressBar);

impl Bar {
    /// Something of which the end is not known yet.
    pub fn new(doing: &str) -> Self {
        // Hidden by the library where standard error is no terminal.
        let bar = ProgressBar::new_spinner().with_message(doing.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// Says something else beside the bar.
    pub fn say(&self, doing: &str) {
        self.0.set_message(doing.to_owned());
    }

    /// A line that stays, also where no bar is drawn.
    pub fn note(&self, line: &str) {
        self.0.suspend(|| eprintln!("{line}"));
    }

    /// So many parts of all are done.
    pub fn parts(&self, done: u64, of: u64) {
        self.0.set_style(style("{msg} {wide_bar} {percent} %, {eta} left"));
        self.0.set_length(of);
        self.0.set_position(done);
    }

    /// So many bytes have gone by, of all if that is known.
    pub fn bytes(&self, done: u64, of: Option<u64>) {
        match of {
            Some(of) => {
                self.0.set_style(style("{msg} {wide_bar} {bytes} of {total_bytes}"));
                self.0.set_length(of);
            }
            None => self.0.set_style(style("{spinner} {msg} {bytes}")),
        }
        self.0.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("a template of ours")
}
