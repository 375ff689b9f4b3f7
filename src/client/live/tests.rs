//! A client and its sockets, with a server played by the test: what it hears is asserted, what it says is written out.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value as Json, from_str, from_value, json, to_value};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::model::tests::{TABLE, column};
use super::*;
use crate::document::table::RowId;

/// Longer than anything takes; only a failing test waits for it.
const LONG: Duration = Duration::from_secs(20);

/// Where the server will be, or is.
struct Address(TcpListener);

/// The server's end of one connection.
struct Peer(WebSocketStream<TcpStream>);

impl Address {
    async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn url(&self) -> String {
        format!("ws://{}/live", self.0.local_addr().unwrap())
    }

    async fn accept(&self) -> Peer {
        let (stream, _) = timeout(LONG, self.0.accept()).await.expect("somebody comes").unwrap();
        Peer(tokio_tungstenite::accept_async(stream).await.unwrap())
    }

    /// Lets somebody in, and in to the table; the data of what asked for it.
    async fn welcome(&self) -> (Peer, Json) {
        let mut peer = self.accept().await;
        let claim = peer.hears("authenticate").await;
        let welcome = json!({ "userId": claim["user"]["userId"], "deviceId": claim["deviceId"], "color": 4 });
        peer.says("authenticated", welcome).await;
        (peer, claim)
    }
}

impl Peer {
    /// The data of the next message, which must be of this type.
    async fn hears(&mut self, kind: &str) -> Json {
        let frame = timeout(LONG, self.0.next())
            .await
            .unwrap_or_else(|_| panic!("no {kind}"));
        let Some(Ok(Frame::Text(text))) = frame else {
            panic!("{frame:?} is no {kind}")
        };
        let message: Json = from_str(&text).unwrap();
        assert_eq!(message["type"], kind, "{text}");
        message["data"].clone()
    }

    async fn says(&mut self, kind: &str, data: Json) {
        let text = json!({ "type": kind, "data": data }).to_string();
        self.0.send(Frame::text(text)).await.unwrap();
    }

    async fn shows(&mut self, version: &str) {
        let rows = [json!({ "id": "b.a", "cells": { "cA": "first" } })];
        let snapshot = json!({ "tableId": TABLE, "title": "T", "columns": [column("cA")], "rows": rows, "rowCount": 1,
            "version": version, "users": [] });
        self.says("table_snapshot", snapshot).await;
    }

    async fn closes(mut self, code: u16) {
        let (code, reason) = (code.into(), "as the test has it".into());
        let _ = self.0.send(Frame::Close(Some(CloseFrame { code, reason }))).await;
    }
}

fn options() -> LiveOptions {
    LiveOptions {
        reconnect: Reconnect {
            first: Duration::from_millis(1),
            most: Duration::from_millis(5),
            settled: LONG,
        },
        seed: Some(1),
        ..LiveOptions::new("ada")
    }
}

fn id() -> DocumentId {
    DocumentId::parse(TABLE).unwrap()
}

fn row() -> RowId {
    RowId::parse("b.a").unwrap()
}

fn saved(names: &[&str]) -> Json {
    json!({ "applied": names, "merged": [], "rejected": [], "versions": { TABLE: "v3" }, "durable": true })
}

/// Somebody at the table, and the server's end.
async fn at_the_table(address: &Address) -> (LiveClient, LiveTable, Peer) {
    let url = address.url();
    let client = LiveClient::connect(&url, options());
    let (client, (mut peer, _)) = tokio::join!(client, address.welcome());
    let client = client.unwrap();
    let id = id();
    let subscribe = client.subscribe(&id, Scope::whole_table(), LONG);
    let play = async {
        peer.hears("subscribe_to_table").await;
        peer.shows("v1").await;
    };
    let (table, ()) = tokio::join!(subscribe, play);
    let table = table.unwrap();
    (client, table, peer)
}

#[tokio::test]
async fn somebody_comes_looks_edits_is_seen_and_goes() {
    let address = Address::new().await;
    let (client, mut table, mut peer) = at_the_table(&address).await;
    assert_eq!(
        (client.status(), client.color(), table.shown().rows.len()),
        (Status::Connected, 4, 1)
    );
    let mut events = table.events();
    table.changed(LONG).await.unwrap();

    let mut edit = table.update(&row(), [("cA", json!("mine"))]).unwrap();
    let sent = peer.hears("record_change").await;
    assert_eq!(
        (&sent["changeId"], &sent["changes"][0]["newValue"]),
        (&json!(edit.change_id()), &json!("mine"))
    );
    peer.says(
        "change_accepted",
        json!({ "changeId": edit.change_id(), "tableId": TABLE, "version": "v2" }),
    )
    .await;
    assert_eq!(edit.saved(LONG).await.unwrap().version, "v2");
    client.settled(LONG).await.unwrap();
    let happened = events.next(LONG).await.unwrap();
    assert!(matches!(happened, Happened::To(_, Event::Saved { .. })), "{happened:?}");

    let cursor = Cursor {
        record_id: "b.a".into(),
        field_id: "cA".into(),
        x: None,
        y: None,
    };
    table.point(Some(cursor));
    assert_eq!(peer.hears("cursor_position").await["cursor"]["fieldId"], "cA");
    let close = tokio::spawn(client.close(LONG));
    let bye = timeout(LONG, peer.0.next()).await.unwrap();
    assert!(matches!(bye, Some(Ok(Frame::Close(None)))), "{bye:?}");
    drop(peer);
    assert!(close.await.unwrap().is_empty());
    assert_eq!(table.changed(LONG).await, Err(LiveError::Ended(LiveEnd::Left)));
}

/// The server had made the edit; its answer was lost with the connection.
#[tokio::test]
async fn what_was_not_answered_is_sent_again_with_what_was_edited_meanwhile() {
    let address = Address::new().await;
    let (client, table, mut peer) = at_the_table(&address).await;
    let mut lost = table.update(&row(), [("cA", json!("lost?"))]).unwrap();
    peer.hears("record_change").await;
    drop(peer);
    let is_lost = |status: &Status| *status != Status::Connected;
    client.until("losing the connection", LONG, is_lost).await.unwrap();
    let mut offline = table.update(&row(), [("cA", json!("offline"))]).unwrap();
    assert_eq!(table.shown().cell(&row(), "cA"), Some(&json!("offline")));

    let (mut peer, claim) = address.welcome().await;
    assert_eq!(claim["deviceId"], client.device());
    assert_eq!(peer.hears("recover_connection").await["lastVersion"], "v1");
    let sent = peer.hears("sync_offline_changes").await;
    let names: Vec<_> = sent["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["changeId"].clone())
        .collect();
    assert_eq!(names, [lost.change_id(), offline.change_id()]);
    peer.says(
        "connection_recovered",
        json!({ "tableId": TABLE, "missedEventsCount": 0, "version": "v1" }),
    )
    .await;
    peer.says("offline_sync_complete", saved(&[lost.change_id(), offline.change_id()]))
        .await;
    assert_eq!(lost.saved(LONG).await.unwrap().version, "v3");
    assert_eq!(offline.saved(LONG).await.unwrap().version, "v3");
    table.ready(LONG).await.unwrap();
}

#[tokio::test]
async fn a_server_that_sends_everybody_away_for_now_is_asked_again_until_it_lets_us_in() {
    let address = Address::new().await;
    let (client, table, peer) = at_the_table(&address).await;
    peer.closes(1001).await;
    for code in [1013, 4413, 1001] {
        address.accept().await.closes(code).await;
    }
    drop(address.0.accept().await.unwrap());
    let (mut peer, _) = address.welcome().await;
    peer.hears("recover_connection").await;
    peer.shows("v9").await;
    peer.says(
        "connection_recovered",
        json!({ "tableId": TABLE, "missedEventsCount": 1, "version": "v9" }),
    )
    .await;
    let shown = |table: &Table| (table.version.as_deref() == Some("v9")).then_some(());
    table.until("the table of now", LONG, shown).await.unwrap();
    client.connected(LONG).await.unwrap();
}

#[tokio::test]
async fn who_was_replaced_or_is_not_let_in_stays_away() {
    for (code, end) in [
        (4409, LiveEnd::Replaced),
        (4403, LiveEnd::Denied("4403, as the test has it".into())),
    ] {
        let address = Address::new().await;
        let (client, mut table, mut peer) = at_the_table(&address).await;
        let mut edit = table.update(&row(), [("cA", json!("late"))]).unwrap();
        peer.hears("record_change").await;
        peer.closes(code).await;
        assert_eq!(client.ended().await, end);
        assert_eq!(edit.saved(LONG).await, Err(LiveError::Ended(end.clone())));
        while table.changed(LONG).await.is_ok() {}
        assert_eq!(
            table.shown().cell(&row(), "cA"),
            Some(&json!("late")),
            "it can still be looked at"
        );
        let never = table.until("nothing", LONG, |_| None::<()>).await;
        assert_eq!(never, Err(LiveError::Ended(end.clone())));
        let mut more = table.update(&row(), [("cA", json!("after the end"))]).unwrap();
        assert_eq!(more.saved(LONG).await, Err(LiveError::Ended(end)));
        assert_eq!(client.pending().len(), 2);
        // Nobody comes back: the next one is somebody else.
        let other = LiveClient::start(&address.url(), LiveOptions::new("bob")).unwrap();
        let (_peer, claim) = address.welcome().await;
        assert_eq!(claim["user"]["userId"], "bob");
        drop(other);
    }
}

/// The program was ended while it was offline, and had stored what was pending.
#[tokio::test]
async fn what_a_program_stored_is_taken_up_by_the_next_one() {
    let address = Address::new().await;
    let (client, table, peer) = at_the_table(&address).await;
    drop((peer, address));
    let edit = table.update(&row(), [("cA", json!("kept"))]).unwrap();
    let stored = to_value(client.close(LONG).await).unwrap();

    let address = Address::new().await;
    let pending: Vec<PendingEdit> = from_value(stored).unwrap();
    let again = LiveOptions { pending, ..options() };
    let client = LiveClient::start(&address.url(), again).unwrap();
    let mut events = client.events();
    let (mut peer, _) = address.welcome().await;
    let sent = peer.hears("sync_offline_changes").await;
    assert_eq!(sent["changes"][0]["changeId"], edit.change_id());
    assert_eq!(sent["changes"][0]["base"], "v1");
    peer.says("offline_sync_complete", saved(&[edit.change_id()])).await;
    client.settled(LONG).await.unwrap();
    let Happened::To(_, Event::Saved { change_id, .. }) = events.next(LONG).await.unwrap() else {
        panic!("it is saved");
    };
    assert_eq!(change_id, edit.change_id());
    let few = LiveOptions {
        pending: client.pending(),
        limits: LiveLimits {
            edits: 0,
            ..LiveLimits::default()
        },
        ..options()
    };
    assert!(LiveClient::start(&address.url(), few).is_ok(), "nothing is pending");
}

/// It had waited for longer than the server remembers, or had the wrong time: the app awaits it by the name it was given.
#[tokio::test]
async fn who_waits_for_an_edit_need_not_know_under_which_name_it_went_out() {
    let address = Address::new().await;
    let client = LiveClient::start(&address.url(), options()).unwrap();
    let table = client.table(&id(), Scope::whole_table()).unwrap();
    let mut edit = table.update(&row(), [("cA", json!("kept"))]).unwrap();
    let mut peer = address.accept().await;
    let claim = peer.hears("authenticate").await;
    let welcome = json!({ "userId": "ada", "deviceId": claim["deviceId"], "serverTime": 1_000_000_000_000_u64 });
    peer.says("authenticated", welcome).await;
    peer.hears("subscribe_to_table").await;
    let sent = peer.hears("sync_offline_changes").await;
    let name = sent["changes"][0]["changeId"].as_str().unwrap();
    assert!(name.starts_with("1000000000"), "{name}");
    peer.says("offline_sync_complete", saved(&[name])).await;
    assert_eq!(edit.saved(LONG).await.unwrap().version, "v3");
}

#[tokio::test]
async fn connecting_to_nobody_or_to_somebody_mute_ends_with_a_reason() {
    let address = Address::new().await;
    let limit = Duration::from_millis(50);
    let quick = LiveOptions {
        timeout: limit,
        answer: limit,
        ..options()
    };
    let url = address.url();
    let mute = LiveClient::connect(&url, quick.clone()).await.unwrap_err();
    assert!(
        mute.to_string()
            .starts_with(&format!("cannot connect to {url}: the connection broke: no answer")),
        "{mute}"
    );
    let speechless = async {
        // The one from before has left its knock.
        drop(address.0.accept().await.unwrap());
        let mut peer = address.accept().await;
        peer.hears("authenticate").await;
        peer
    };
    let (speechless, _peer) = tokio::join!(LiveClient::connect(&url, quick.clone()), speechless);
    assert!(
        speechless
            .unwrap_err()
            .to_string()
            .ends_with("the server did not say welcome in time")
    );
    drop(address);
    let nobody = LiveClient::connect(&url, quick).await.unwrap_err();
    assert!(
        matches!(
            nobody,
            LiveError::Connect {
                end: LiveEnd::Broken(_),
                ..
            }
        ),
        "{nobody}"
    );
}

#[tokio::test]
async fn a_table_that_is_not_there_is_refused_in_the_server_s_words() {
    let address = Address::new().await;
    let url = address.url();
    let (client, (mut peer, _)) = tokio::join!(LiveClient::connect(&url, options()), address.welcome());
    let client = client.unwrap();
    let refuse = async {
        peer.hears("subscribe_to_table").await;
        let error =
            json!({ "code": "not-found", "message": "no such table", "about": "subscribe_to_table", "tableId": TABLE });
        peer.says("error", error).await;
    };
    let id = id();
    let (refused, ()) = tokio::join!(client.subscribe(&id, Scope::whole_table(), LONG), refuse);
    assert_eq!(
        refused.unwrap_err().to_string(),
        format!("table {TABLE}: no such table (not-found)")
    );
    let table = client
        .table(&id, Scope::rows(0, 5))
        .expect("it is not followed any more");
    assert_eq!(peer.hears("subscribe_to_table").await["window"]["limit"], 5);
    let twice = client.table(&id, Scope::whole_table()).unwrap_err();
    assert_eq!(twice, LiveError::AlreadyFollowed(id));
    let limit = Duration::from_millis(20);
    let late = table.ready(limit).await.unwrap_err().to_string();
    assert_eq!(late, "showing the table took longer than 20ms");
}

/// A server that says half a table is left, and asked anew: what was told before is not lost.
#[tokio::test]
async fn what_is_no_message_costs_the_connection_and_nothing_else() {
    let address = Address::new().await;
    let (client, table, mut peer) = at_the_table(&address).await;
    peer.says("table_snapshot", json!({ "tableId": TABLE })).await;
    let (mut peer, _) = address.welcome().await;
    peer.hears("recover_connection").await;
    assert_eq!(table.shown().rows.len(), 1);
    drop(client);
}
