//! Files into tables that are there.

use roundtable::document::import::{Blank, Choice, Import, ImportError, choices};
use roundtable::document::sheet::Limits;
use roundtable::document::table::{ColumnId, Kind, NewOption, TableEdit};
use serde_json::{Value as Json, json};

use super::support::{Replica, read};

struct Stock {
    table: Replica,
    sku: ColumnId,
}

/// Two articles with amounts and tags.
fn stock() -> Stock {
    let mut table = Replica::empty(1);
    let sku = table.add_column("SKU", Kind::Text, &[]);
    let amount = table.add_column("Amount", Kind::Number, &[]);
    let tags = table.add_column("Tags", Kind::MultiSelect, &["Red", "big, heavy"]);
    let red = table.index.column(&tags).unwrap().options[0].id.clone();
    for (name, number) in [("a-1", 5), ("b-2", 7)] {
        table.add_row(vec![
            (sku.clone(), json!(name)),
            (amount.clone(), json!(number)),
            (tags.clone(), json!([red])),
        ]);
    }
    Stock { table, sku }
}

impl Stock {
    fn append(&mut self, text: &str, choices: &[Choice]) -> Result<Import, ImportError> {
        Import::append(
            read(text.as_bytes()).unwrap(),
            &self.table.index,
            choices,
            &Limits::default(),
        )
    }

    fn update(&mut self, text: &str, blank: Blank) -> Result<Import, ImportError> {
        let sheet = read(text.as_bytes()).unwrap();
        let table = &self.table;
        Import::update(
            sheet,
            &table.document,
            &table.index,
            &self.sku,
            blank,
            &[],
            &Limits::default(),
        )
    }

    fn rows(&self) -> Vec<Vec<Json>> {
        self.table.seen().rows
    }
}

fn complaint(import: Result<Import, ImportError>) -> String {
    import.unwrap_err().to_string()
}

#[test]
fn rows_are_appended_to_the_columns_of_their_names() {
    let mut stock = stock();
    let import = stock.append("Tags,SKU\n\"red, \"\"big, heavy\"\"\",c-3\nnew,d-4\n", &[]);
    let size = import.as_ref().unwrap().size();
    assert_eq!((size.new_rows, size.cells, size.columns), (2, 4, 2));
    stock.table.run(import);
    let seen = stock.table.seen();
    assert_eq!(
        seen.rows[2],
        [json!("c-3"), Json::Null, json!(["\"Red\"", "\"big, heavy\""])]
    );
    assert_eq!(seen.rows[3][2], json!(["\"new\""]));
    let options: Vec<_> = seen.columns[2].2.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(options, ["Red", "big, heavy", "new"]);
}

/// Slices wait behind the edits of people: an option that somebody adds meanwhile stays.
#[test]
fn options_are_added_beside_those_that_came_meanwhile() {
    let mut stock = stock();
    let import = stock.append("SKU,Tags\nc-3,blue\n", &[]);
    let tags = stock.table.column("Tags");
    let meanwhile = NewOption {
        name: "green".into(),
        ..NewOption::default()
    };
    let options = vec![meanwhile];
    stock.table.edit(&[TableEdit::AddOptions { column: tags, options }]);
    stock.table.run(import);
    let seen = stock.table.seen();
    let options: Vec<_> = seen.columns[2].2.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(options, ["Red", "big, heavy", "green", "blue"]);
    assert_eq!(seen.rows[2][2], json!(["\"blue\""]));
}

#[test]
fn what_fits_nowhere_is_named_before_anything_is_written() {
    let mut stock = stock();
    assert_eq!(
        complaint(stock.append("SKU,Colour,Size\nx,1,2\n", &[])),
        "the table has no column of the name of these columns of the file: [\"Colour\", \"Size\"]; map or skip them"
    );
    assert_eq!(
        complaint(stock.append("SKU,Amount\nx,1\n\"y\nz\",two\n", &[])),
        "line 3, column \"Amount\": expected a number, whole ones up to 9007199254740991, found \"two\""
    );
    let twice = [Choice::ByName, Choice::Column(stock.sku.clone())];
    assert_eq!(
        complaint(stock.append("SKU,Other\nx,1\n", &twice)),
        "two columns of the file, \"SKU\" and \"Other\", go into the same column of the table"
    );
    stock.table.add_column("Amount", Kind::Text, &[]);
    assert_eq!(
        complaint(stock.append("Amount\n1\n", &[])),
        "the table has several columns of the name \"Amount\"; say which by its id"
    );
    let limits = Limits {
        rows: 3,
        ..Limits::default()
    };
    let full = Import::append(read(b"SKU\nx\ny\n").unwrap(), &stock.table.index, &[], &limits);
    assert_eq!(
        complaint(full),
        "the table would have 4 rows; an import fills it up to 3"
    );
    let many: String = (0..999).map(|n| format!("o{n}\n")).collect();
    let mapped = choices(&json!([{"column": "Tags"}]), Some(&stock.table.index)).unwrap();
    let error = complaint(stock.append(&format!("t\n{many}"), &mapped));
    assert!(
        error.starts_with("line 1000, column \"t\": this would be one option more than the 1000"),
        "{error}"
    );
}

#[test]
fn columns_are_mapped_added_and_left_out() {
    let mut stock = stock();
    let mapped =
        json!([{"column": "SKU"}, {"new": {"name": "Since", "kind": "date"}}, {"skip": true}, {"kind": "select"}]);
    let mapped = choices(&mapped, Some(&stock.table.index)).unwrap();
    let import = stock.append("nr,date,x,state\nc-3,2026-01-31,lost,open\nd-4,,lost,Open\n", &mapped);
    stock.table.run(import);
    let seen = stock.table.seen();
    let names: Vec<_> = seen
        .columns
        .iter()
        .map(|(name, kind, _)| (name.as_str(), kind.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            ("SKU", "text"),
            ("Amount", "number"),
            ("Tags", "multiselect"),
            ("Since", "date"),
            ("state", "select")
        ]
    );
    assert_eq!(
        seen.rows[2],
        [json!("c-3"), Json::Null, Json::Null, json!("2026-01-31"), json!("open")]
    );
    assert_eq!(seen.rows[3][4], json!("Open"));
    let error = choices(&json!([{}, {"column": "Nothing"}]), Some(&stock.table.index)).unwrap_err();
    assert_eq!(error.to_string(), "/1/column: there is no column \"Nothing\"");
}

#[test]
fn an_update_writes_what_differs_and_adds_what_is_new() {
    let mut stock = stock();
    let text = "Amount,SKU,Tags\n5.0,a-1,red\n8,b-2,\n1,c-3,Red\n";
    let import = stock.update(text, Blank::Keep);
    let size = import.as_ref().unwrap().size();
    assert_eq!((size.changed_rows, size.new_rows, size.cells), (1, 1, 4));
    stock.table.run(import);
    let red = json!(["\"Red\""]);
    assert_eq!(
        stock.rows(),
        [
            [json!("a-1"), json!(5), red.clone()],
            [json!("b-2"), json!(8), red.clone()],
            [json!("c-3"), json!(1), red.clone()]
        ]
    );
    // Again: nothing to do. And with blanks that clear: one cell.
    assert_eq!(stock.update(text, Blank::Keep).unwrap().size().slices, 0);
    let import = stock.update(text, Blank::Clear);
    assert_eq!(import.as_ref().unwrap().size().cells, 1);
    stock.table.run(import);
    assert_eq!(stock.rows()[1][2], Json::Null);
}

#[test]
fn keys_that_do_not_tell_rows_apart_are_refused() {
    let mut stock = stock();
    assert_eq!(
        complaint(stock.update("SKU,Amount\na-1,1\nx,2\na-1,3\n", Blank::Keep)),
        "line 4: the key \"a-1\" stands on line 2 already"
    );
    assert_eq!(
        complaint(stock.update("SKU,Amount\na-1,1\n,2\n", Blank::Keep)),
        "line 3: the key in column \"SKU\" is empty"
    );
    assert_eq!(
        complaint(stock.update("Amount\n1\n", Blank::Keep)),
        "no column of the file goes into the key column \"SKU\""
    );
    let sku = stock.sku.clone();
    let second = stock.table.add_row(vec![(sku.clone(), json!("a-1"))]);
    let first = stock.table.index.live()[0].id.clone();
    assert_eq!(
        complaint(stock.update("SKU,Amount\nx,1\na-1,1\n", Blank::Keep)),
        format!("line 3: the key \"a-1\" is that of two rows of the table, {first} and {second}")
    );
    // A deleted row has no key.
    stock.table.edit(&[TableEdit::DeleteRows(vec![second])]);
    assert_eq!(
        stock.update("SKU,Amount\na-1,1\n", Blank::Keep).unwrap().size().cells,
        1
    );
    stock.sku = stock.table.column("Tags");
    assert_eq!(
        complaint(stock.update("Tags\nRed\n", Blank::Keep)),
        "column \"Tags\" cannot be the key: a multiselect column does not tell rows apart"
    );
}

/// Numbers are compared as numbers, and a new column is filled in rows that are there as well.
#[test]
fn keys_are_compared_by_what_they_mean() {
    let mut table = Replica::empty(1);
    let number = table.add_column("nr", Kind::Number, &[]);
    table.add_row(vec![(number.clone(), json!(7))]);
    let sheet = read(b"nr,note\n007,seven\n8,eight\n").unwrap();
    let mapped = choices(&json!([null, {"new": {}}]), Some(&table.index)).unwrap();
    let import = Import::update(
        sheet,
        &table.document,
        &table.index,
        &number,
        Blank::Keep,
        &mapped,
        &Limits::default(),
    );
    table.run(import);
    assert_eq!(
        table.seen().rows,
        [[json!(7), json!("seven")], [json!(8), json!("eight")]]
    );
}
