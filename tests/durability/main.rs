//! What the server promises about edits when everything around it fails: the process, the disk, the peer, the person at
//! the command line.
//!
//! One test binary, so that the crate is linked once: `kill` (the real server under `kill -9`), `keys` and `bulk` (writes over
//! HTTP that are sent again after it died), `order` and `tombstones` (nothing is shown before it is synced), `trace` (the same
//! by the system calls of the real server), `full_disk`, `shutdown`, `startup` and `transfer` (the real server and its command
//! line), `bounds`, `slow` and `times` (every bound and every time of the configuration that concerns a connection).

mod bounds;
mod bulk;
mod full_disk;
mod http;
mod keys;
mod kill;
mod local;
mod order;
mod process;
mod shutdown;
mod slow;
mod startup;
mod times;
mod tombstones;
mod trace;
mod transfer;
mod witness;
