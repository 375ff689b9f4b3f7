//! The table as a model: what holds however many people edit at once.
//!
//! `history` is the random test: eight replicas edit through the interface that all doors use, merge in random pairs, and
//! must end equal, with nothing lost that nobody deleted. The other modules tell stories of single rules.
//!
//! More by hand, all histories or one: `TABLE_MODEL_OPERATIONS=1000000 cargo test --test table_model random`,
//! `TABLE_MODEL_SEED=17 cargo test --test table_model random`.

#[path = "table_model/batch.rs"]
mod batch;
#[path = "table_model/conflicts.rs"]
mod conflicts;
#[path = "table_model/edits.rs"]
mod edits;
#[path = "table_model/feed.rs"]
mod feed;
#[path = "table_model/feed_client.rs"]
mod feed_client;
#[path = "table_model/feed_people.rs"]
mod feed_people;
#[path = "table_model/feed_raw.rs"]
mod feed_raw;
#[path = "table_model/feed_stories.rs"]
mod feed_stories;
#[path = "table_model/history.rs"]
mod history;
#[path = "table_model/index.rs"]
mod index;
#[path = "table_model/ledger.rs"]
mod ledger;
#[path = "table_model/merging.rs"]
mod merging;
#[path = "table_model/planning.rs"]
mod planning;
#[path = "table_model/purge.rs"]
mod purge;
#[path = "table_model/replica.rs"]
mod replica;
#[path = "table_model/values.rs"]
mod values;
#[path = "table_model/view_fixture.rs"]
mod view_fixture;
#[path = "table_model/view_random.rs"]
mod view_random;
#[path = "table_model/view_rows.rs"]
mod view_rows;
#[path = "table_model/views.rs"]
mod views;
