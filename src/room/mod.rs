//! Floor 3: the live document. A room is a plain shared value; connections come to it and pull.

pub mod agents;
pub mod audience;
mod bring;
mod commit;
mod compact;
mod edit;
mod fate;
pub mod inbox;
mod keys;
pub mod live;
mod notes;
#[allow(clippy::module_inception)]
pub mod room;
pub mod rooms;
mod run;
mod seen;
mod sleep;
mod table;
mod turns;
mod views;
mod voice;

pub use bring::{Brought, NotBrought};
pub use commit::{Commit, Writer, need_of};
pub use compact::SteppedCompaction;
pub use edit::{EditError, Edited};
pub use fate::NotTurned;
pub use keys::{KeyRefusal, Keyed, Once, RecallError};
pub use notes::Deletion;
pub use room::{Room, RoomLimits};
pub use rooms::Rooms;
pub use seen::Seen;
pub use sleep::Waking;
pub use table::TableReading;
pub use turns::BulkTurn;
pub use views::Views;
