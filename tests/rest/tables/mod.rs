//! Tables over REST: what a script does to rows, cells, columns and views, beside people who have the table open.

mod batch;
mod bulk;
mod columns;
mod curl;
mod doors;
mod durable;
mod named;
mod paging;
mod rows;
pub mod stage;
mod table;
mod viewing;
