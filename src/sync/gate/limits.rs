//! The bounds of the gate, all in one place and all configurable.

use serde::{Deserialize, Serialize};

/// How much of everything one message or change may carry or become.
///
/// The defaults take a 64 MiB message, a one-change import of 50,000 rows by 10 columns, a document of 500,000 changes. The
/// dearest change that passes, 750,000 operations in 180 bytes, takes 260 MB to read and 340 MB to apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GateLimits {
    /// Heads, needed hashes, and last-sync hashes of each summary, in one message; count each.
    pub message_hashes: u64,
    /// Summaries ("have") in one message; clients send none or one.
    pub message_haves: u64,
    /// Chunks in one message, and changes after whole documents were taken apart; count.
    pub message_changes: u64,
    /// Operations of all changes of one message together; count.
    pub message_ops: u64,
    /// Operations gone over to try unusual changes of one message on copies of the document; count. Each trial costs as
    /// much as loading the document.
    pub message_trial_ops: u64,
    /// What all compressed parts of one message may inflate to; bytes.
    pub message_inflated_bytes: u64,
    /// Changes a Bloom filter may claim to hold; count.
    pub bloom_entries: u64,
    /// Bits a Bloom filter may spend on each of its entries; the library spends 10.
    pub bloom_bits_per_entry: u64,
    /// Probes a Bloom filter may ask for; the library makes 7, and would allocate four bytes for each.
    pub bloom_probes: u64,
    /// One change, uncompressed; bytes.
    pub change_bytes: u64,
    /// Operations of one change; count. A run of deletions takes four bytes, so bytes say nothing about it.
    pub change_ops: u64,
    /// Predecessors named by all operations of one change together; count.
    pub change_preds: u64,
    /// Map keys and mark names of one change, written out once for each operation; bytes.
    pub change_key_bytes: u64,
    /// Changes one change may build on directly; count.
    pub change_deps: u64,
    /// Actors one change may mention besides its author; count.
    pub change_actors: u64,
    /// The length of an actor id; bytes. Clients make them of 16.
    pub actor_bytes: u64,
    /// How far ahead of the document's highest operation counter a change may begin; counters. They have 32 bits, and a
    /// change that used them up would leave a document nobody can edit.
    pub counter_gap: u64,
    /// The memory that applying one change may take at its peak, estimated; bytes.
    pub apply_peak_bytes: u64,
}

impl Default for GateLimits {
    fn default() -> Self {
        Self {
            message_hashes: 10_000,
            message_haves: 16,
            message_changes: 500_000,
            message_ops: 8_000_000,
            message_trial_ops: 10_000_000,
            message_inflated_bytes: 256 << 20,
            bloom_entries: 4_000_000,
            bloom_bits_per_entry: 64,
            bloom_probes: 32,
            change_bytes: 64 << 20,
            change_ops: 750_000,
            change_preds: 1_500_000,
            change_key_bytes: 64 << 20,
            change_deps: 1_000,
            change_actors: 10_000,
            actor_bytes: 64,
            counter_gap: 1 << 20,
            apply_peak_bytes: 1 << 30,
        }
    }
}
