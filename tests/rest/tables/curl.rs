//! The commands of docs/rest.md do what the page says they do.

use std::collections::HashMap;

use roundtable::store::memory::MemoryEngine;
use serde_json::Value;

use crate::ask::{Answer, ask, start};
use crate::tables::stage::encoded;

/// A request as a line of curl says it.
#[derive(Default)]
struct Request {
    method: Option<String>,
    address: String,
    headers: String,
    data: Vec<String>,
    in_query: bool,
}

impl Request {
    fn read(words: &[String]) -> Self {
        let mut request = Self::default();
        let mut words = words.iter().skip(1);
        while let Some(word) = words.next() {
            let mut next = || words.next().expect("a value").clone();
            match word.as_str() {
                "-s" => {}
                "-G" => request.in_query = true,
                "-X" => request.method = Some(next()),
                "-H" => request.headers += &format!("{}\r\n", next()),
                "-d" => request.data.push(next()),
                "--data-urlencode" => {
                    let pair = next();
                    let (name, value) = pair.split_once('=').expect("name=value");
                    request.data.push(format!("{name}={}", encoded(value)));
                }
                address => request.address = address.strip_prefix("localhost:4000").expect("the server").to_owned(),
            }
        }
        request
    }

    fn method(&self) -> &str {
        let default = if self.data.is_empty() || self.in_query {
            "GET"
        } else {
            "POST"
        };
        self.method.as_deref().unwrap_or(default)
    }

    fn path(&self) -> String {
        match self.in_query {
            true => format!("{}?{}", self.address, self.data.join("&")),
            false => self.address.clone(),
        }
    }

    fn body(&self) -> String {
        if self.in_query {
            String::new()
        } else {
            self.data.concat()
        }
    }
}

/// The words of a command, as a shell would see them.
fn words(command: &str, variables: &HashMap<String, String>) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut characters = command.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\'' | '"', None) => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (end, Some(open)) if end == open => quote = None,
            ('$', None | Some('"')) => {
                let mut name = String::new();
                while let Some(letter) = characters.next_if(char::is_ascii_alphanumeric) {
                    name.push(letter);
                }
                word.get_or_insert_default().push_str(&variables[&name]);
            }
            ('\\', None) => {
                characters.next();
            }
            (space, None) if space.is_whitespace() => words.extend(word.take()),
            (character, _) => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

/// Commands, and the lines between them that keep a part of an answer: a command goes on while a quote is open.
fn commands(block: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut open = false;
    for line in block.lines() {
        match open {
            true => {
                let last = commands.last_mut().expect("an open command");
                last.push('\n');
                last.push_str(line);
            }
            false if line.is_empty() || line.starts_with('#') => continue,
            false => commands.push(line.to_owned()),
        }
        let last = commands.last().expect("a command");
        open = last.matches('\'').count() % 2 == 1 || last.ends_with('\\');
    }
    commands
}

#[tokio::test]
async fn the_commands_of_the_page_work() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rest.md")).unwrap();
    let tables = page.split("## Tables").nth(1).expect("a section");
    let block = tables
        .split("```sh\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let server = start(&MemoryEngine::default()).await;
    let mut variables = HashMap::new();
    let mut answers: Vec<Answer> = Vec::new();
    for command in commands(block) {
        if let Some((name, pointer)) = command.split_once('=').filter(|(name, _)| name.len() == 1) {
            let pointer = pointer
                .split("# ")
                .nth(1)
                .and_then(|text| text.split(' ').next())
                .unwrap();
            let answer = answers.iter().rev().find(|answer| answer.status == 201).unwrap().json();
            let value = answer.pointer(pointer).and_then(Value::as_str);
            variables.insert(
                name.to_owned(),
                value.unwrap_or_else(|| panic!("{command}: {answer}")).to_owned(),
            );
            continue;
        }
        let request = Request::read(&words(&command, &variables));
        let answer = ask(
            &server,
            request.method(),
            &request.path(),
            &request.headers,
            &request.body(),
        )
        .await;
        assert!((200..300).contains(&answer.status), "{command}: {}", answer.text());
        answers.push(answer);
    }
    assert_eq!(answers.len(), 12);
    let filtered = answers[2].json();
    assert_eq!(
        (&filtered["totals"][0], &filtered["rows"][0]["cells"]["Item"]),
        (&Value::from(420), &"Desk".into())
    );
    let grouped = answers[8].json();
    assert_eq!(grouped["groups"].as_array().map(Vec::len), Some(2), "{grouped}");
    let desk = grouped["rows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["cells"]["Item"] == "Desk")
        .unwrap();
    assert_eq!(
        (&desk["cells"]["Notes"], &desk["cells"]["Due"]),
        (&"See Invoice 12".into(), &"2026-01-31".into())
    );
    assert_eq!(answers[10].json()["rowCount"], 1);
}
