//! Tables as files: in, out, and in again; files of strangers; files that mean harm.

mod hostile;
mod large;
mod real;
mod round_trip;
mod support;
mod update;
