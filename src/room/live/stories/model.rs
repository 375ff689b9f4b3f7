//! Whatever happens, a client that applies what it is told sees the room as it is.

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::*;

const ROWS: [&str; 6] = ["b.1", "b.2", "b.3", "b.4", "b.5", "b.6"];
const NAMES: [&str; 4] = ["Grace", "Linus", "Barbara", "Ken"];

/// What a client knows, by user: all that a `User` says.
type Known = BTreeMap<String, Value>;

/// A client of the live door that does as its documentation says, and nothing more.
fn apply(known: &mut Known, told: Vec<(String, Value)>) {
    for (name, said) in told {
        let id = |of: &Value| of["userId"].as_str().unwrap().to_owned();
        match name.as_str() {
            "table_users" => {
                let users = said.as_array().unwrap().iter();
                *known = users.map(|user| (id(user), user.clone())).collect();
            }
            "user_joined" | "user_reconnected" | "user_changed" => {
                known.insert(id(&said), said);
            }
            "user_left" => {
                known.remove(&id(&said));
            }
            _ => {
                for of in said.as_array().unwrap() {
                    let key = if name == "cursor_position" {
                        "cursor"
                    } else {
                        name.as_str()
                    };
                    let value = &of[if name == "typing" { "cell" } else { key }];
                    // Somebody lost, back and lost again may be said to be nowhere to those who did not have them on the list.
                    let Some(user) = known.get_mut(&id(of)) else {
                        assert!(value.is_null(), "where somebody is who is not known");
                        continue;
                    };
                    match value {
                        Value::Null => user.as_object_mut().unwrap().remove(key),
                        value => user.as_object_mut().unwrap().insert(key.into(), value.clone()),
                    };
                }
            }
        }
    }
}

/// Somebody as they are, whatever anybody was told.
#[derive(Default)]
struct Truth {
    /// The connection of somebody at the live door; Ada has none there.
    connection: Option<u64>,
    name: Option<String>,
    row: Option<&'static str>,
    typing: Option<&'static str>,
}

struct World {
    scene: Scene,
    random: SmallRng,
    people: BTreeMap<&'static str, Truth>,
    receivers: Vec<(Receiver, Known)>,
    connections: u64,
    generation: u64,
}

impl World {
    fn row(&mut self) -> Option<&'static str> {
        let at = self.random.random_range(0..=ROWS.len());
        ROWS.get(at).copied()
    }

    fn happens(&mut self) {
        let name = NAMES[self.random.random_range(0..NAMES.len())];
        match (self.random.random_range(0..12), self.people[name].connection) {
            (0..2, None) => self.comes(name),
            (2, Some(connection)) => {
                let how = [Leaving::Left, Leaving::Lost][self.random.random_range(0..2)];
                self.scene.leaves(connection, how);
                self.people.insert(name, Truth::default());
            }
            // The newer connection comes before the older one has ended.
            (3, Some(older)) => {
                self.comes(name);
                self.scene.leaves(older, Leaving::Lost);
            }
            (4, Some(connection)) => {
                let renamed = format!("{name} {}", self.random.random_range(0..3));
                let mut user = user(name);
                user.who.name = renamed.clone();
                self.scene
                    .audience
                    .rename_live(self.scene.now, ConnectionId(connection), &user);
                self.people.get_mut(name).unwrap().name = Some(renamed);
            }
            (5, Some(connection)) => {
                let row = self.row();
                let cell = row.map(|row| json!({ "recordId": row, "fieldId": "c1", "text": "7" }));
                let showing = Showing::Typing(cell.map(|cell| serde_json::from_value(cell).unwrap()));
                self.scene.shows(connection, showing);
                self.people.get_mut(name).unwrap().typing = row;
            }
            (6, _) => self.happens_to_ada(),
            (7, _) => self.scene.now += Duration::from_millis(self.random.random_range(0..6000)),
            (8, _) => self.looks_elsewhere(),
            (9 | 10, _) => {
                self.scene.tick();
                let which = self.random.random_range(0..self.receivers.len());
                self.pulls(which);
            }
            (_, Some(connection)) => {
                let row = self.row();
                self.scene.shows(connection, row.map_or(Showing::Cursor(None), cursor));
                self.people.get_mut(name).unwrap().row = row;
            }
            _ => {}
        }
    }

    fn comes(&mut self, name: &'static str) {
        self.connections += 1;
        self.scene.comes(name, self.connections);
        let truth = Truth {
            connection: Some(self.connections),
            name: Some(name.into()),
            ..Truth::default()
        };
        self.people.insert(name, truth);
    }

    fn happens_to_ada(&mut self) {
        let row = self.row();
        let cursor = row.map(|row| json!({ "row": row, "column": "c1" }));
        let ada = self.people.get_mut("Ada").unwrap();
        match self.random.random_range(0..4) {
            0 => {
                *ada = Truth::default();
                self.scene.says("ada", ADA, payload::goodbye());
            }
            1 => {
                // Those who are not connected have nothing to lose.
                self.scene.audience.leave(ConnectionId(ADA), self.scene.now);
                let mark = Mark::new(self.scene.ada.clone(), 7);
                self.scene.audience.enter(PeerId::parse("ada").unwrap(), mark);
                *ada = Truth::default();
            }
            2 if ada.name.is_some() => {
                ada.row = row;
                self.scene.says("ada", ADA, update("cursor", json!(cursor)));
            }
            _ => {
                (ada.name, ada.row) = (Some("Ada".into()), row);
                let user = json!({ "id": "ada", "name": "Ada", "color": 8 });
                self.scene
                    .says("ada", ADA, snapshot(json!({ "user": user, "cursor": cursor })));
            }
        }
    }

    /// A receiver scrolls, or the rows of the shared window become others.
    fn looks_elsewhere(&mut self) {
        self.generation += 1;
        let from = self.random.random_range(0..ROWS.len() - 2);
        let rows = ROWS[from..from + 2]
            .iter()
            .map(|row| RowId::parse(row).unwrap())
            .collect();
        let rows = Arc::new(rows);
        if self.random.random_bool(0.5) {
            let (id, generation) = (1000 + self.generation, 0);
            self.receivers[1].0.window = Some(Window { id, generation, rows });
        } else {
            let (id, generation) = (1, self.generation);
            for (receiver, _) in &mut self.receivers[2..] {
                receiver.window = Some(Window {
                    id,
                    generation,
                    rows: rows.clone(),
                });
            }
        }
    }

    fn pulls(&mut self, which: usize) {
        let (receiver, known) = &mut self.receivers[which];
        let told = self.scene.told(receiver);
        apply(known, told);
    }

    /// The room as a receiver is to see it.
    fn truth(&self, window: Option<&Window>) -> Known {
        let seen = |row: &&str| window.is_none_or(|window| window.rows.contains(*row));
        let here = self
            .people
            .iter()
            .filter_map(|(name, truth)| Some((name, truth, truth.name.as_ref()?)));
        here.map(|(name, truth, called)| {
            let (id, live) = (name.to_lowercase(), truth.connection.is_some());
            let mut user = json!({ "userId": id, "userName": called, "deviceId": if live { "laptop" } else { "ada" },
                "door": if live { "live" } else { "sync" },
                "color": if live { crate::wire::live::presence::color_of(&id) } else { 8 } });
            if let Some(row) = truth.row.filter(seen) {
                user["cursor"] = json!({ "recordId": row, "fieldId": "c1" });
            }
            if let Some(row) = truth.typing.filter(seen) {
                user["typing"] = json!({ "recordId": row, "fieldId": "c1", "text": "7" });
            }
            (id, user)
        })
        .collect()
    }
}

#[test]
fn receivers_that_pull_now_and_then_end_up_with_the_room_as_it_is() {
    for seed in 0..120 {
        let mut world = World {
            scene: scene_with(AudienceLimits {
                people: 6,
                ..AudienceLimits::default()
            }),
            random: SmallRng::seed_from_u64(seed),
            people: NAMES.into_iter().map(|name| (name, Truth::default())).collect(),
            receivers: (0..4).map(|_| Default::default()).collect(),
            connections: 100,
            generation: 0,
        };
        let ada = Truth {
            name: Some("Ada".into()),
            ..Truth::default()
        };
        world.people.insert("Ada", ada);
        // Somebody listens all the time, so that the board is never wiped; now and then it is.
        world.scene.comes("Edsger", 99);
        let listens = Truth {
            connection: Some(99),
            name: Some("Edsger".into()),
            ..Truth::default()
        };
        world.people.insert("Edsger", listens);
        for step in 0..150 {
            world.happens();
            if step % 50 == 49 {
                // Quiet for longer than anybody may be away.
                world.scene.tick();
                world.scene.now += Duration::from_secs(6);
                world.scene.tick();
                for which in 0..4 {
                    world.pulls(which);
                }
                world.scene.tick();
                for which in 0..4 {
                    world.pulls(which);
                    let (receiver, known) = &world.receivers[which];
                    let truth = world.truth(receiver.window.as_ref());
                    assert_eq!(*known, truth, "seed {seed}, step {step}, receiver {which}");
                }
            }
        }
    }
}
